import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { ClusterError } from "../errors.ts";

export interface ControlPlanePrograms {
  readonly etcd: string;
  readonly apiServer: string;
}

/**
 * From KUBEBUILDER_ASSETS, the directory that controller-runtime's envtest takes etcd and kube-apiserver from; else what
 * scripts/setup-kubernetes.sh has put into the cache. Throws ERR_CONTROL_PLANE_MISSING.
 */
export function controlPlanePrograms(environment: NodeJS.ProcessEnv = process.env): ControlPlanePrograms {
  const cache = join(environment.MILLRACE_CACHE ?? join(homedir(), ".cache/millrace"), "control-plane");
  const directory = environment.KUBEBUILDER_ASSETS || cache;
  const program = (name: string): string => {
    const path = join(directory, name);
    if (existsSync(path)) return path;
    const hint = environment.KUBEBUILDER_ASSETS
      ? "KUBEBUILDER_ASSETS names that directory"
      : "`make kubernetes` makes it";
    throw new ClusterError("ERR_CONTROL_PLANE_MISSING", `there is no ${path}: ${hint}`);
  };
  return { etcd: program("etcd"), apiServer: program("kube-apiserver") };
}
