import { type ExecFileSyncOptionsWithStringEncoding, execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";

export class HelmError extends Error {
  readonly code: "ERR_HELM_MISSING" | "ERR_HELM_REFUSED";

  constructor(code: HelmError["code"], message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "HelmError";
    this.code = code;
  }
}

/** MILLRACE_HELM, else what `make helm` has built, else `helm` on PATH. Throws ERR_HELM_MISSING. */
export function helmBinary(environment: NodeJS.ProcessEnv = process.env): string {
  const cache = environment.MILLRACE_CACHE ?? join(homedir(), ".cache/millrace");
  const candidates = [
    environment.MILLRACE_HELM ?? [],
    join(cache, "helm/helm"),
    (environment.PATH ?? "").split(delimiter).map((directory) => join(directory, "helm")),
  ].flat();
  const found = candidates.find((candidate) => existsSync(candidate));
  if (found !== undefined) return found;
  throw new HelmError(
    "ERR_HELM_MISSING",
    "no Helm found: build it with `make helm`, or set MILLRACE_HELM to the binary",
  );
}

/** Runs Helm, which asks no cluster for what is run here; returns what it printed. Throws ERR_HELM_REFUSED with what it complained of. */
export function helm(...args: readonly string[]): string {
  const options: ExecFileSyncOptionsWithStringEncoding = {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
    maxBuffer: 64 * 1024 * 1024,
    // Whoever runs this may have a cluster, plugins and settings of his own.
    env: { PATH: process.env.PATH, HOME: "/nonexistent", KUBECONFIG: "/dev/null" },
  };
  try {
    return execFileSync(helmBinary(), args, options);
  } catch (cause) {
    if (cause instanceof HelmError) throw cause;
    const { stderr } = cause as { stderr?: string };
    throw new HelmError("ERR_HELM_REFUSED", `helm ${args.join(" ")}: ${stderr ?? String(cause)}`, { cause });
  }
}
