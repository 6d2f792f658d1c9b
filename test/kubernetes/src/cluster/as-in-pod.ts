import { mkdirSync, mkdtempSync, rmdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MILLRACE_COMMAND } from "@millrace/conformance";
import { API_PORT } from "../control-plane/api-server.ts";

/**
 * A mount namespace in which /run is the lab's, and has what the kubelet mounts into a pod: there is no other way to have it where clients
 * look for it (Kubernetes, "Accessing the API from within a Pod") without touching the machine. `$1` is a directory that stands for the
 * machine's /run, `$2` the account's.
 */
const SCRIPT = `
mount --rbind /run "$1"
account=$(mktemp -d)
mount --bind "$2" "$account"
mount -t tmpfs -o mode=755 run /run
mkdir -p /run/netns /run/millrace-lab /run/secrets/kubernetes.io/serviceaccount
mount --rbind "$1/netns" /run/netns
mount --rbind "$1/millrace-lab" /run/millrace-lab
mount --bind "$account" /run/secrets/kubernetes.io/serviceaccount
umount "$account"
rmdir "$account"
shift 2
exec "$@"`;

export interface InPod extends Disposable {
  /** Runs `millrace` so. */
  readonly command: readonly string[];
}

/** `account` is a directory with `token` and `ca.crt`; `apiServer` an address. */
export function asInPod({ account, apiServer }: { readonly account: string; readonly apiServer: string }): InPod {
  const real = mkdtempSync(join(tmpdir(), "millrace-run-"));
  mkdirSync("/run/netns", { recursive: true });
  const environment = [`KUBERNETES_SERVICE_HOST=${apiServer}`, `KUBERNETES_SERVICE_PORT=${API_PORT}`];
  return {
    // Slave: namespaces that are named later are seen here, and nothing that is mounted here is seen elsewhere.
    command: [
      ...["unshare", "--mount", "--propagation", "slave", "sh", "-ec", SCRIPT, "sh", real, account],
      ...["env", ...environment, ...MILLRACE_COMMAND],
    ],
    [Symbol.dispose]: () => rmdirSync(real),
  };
}
