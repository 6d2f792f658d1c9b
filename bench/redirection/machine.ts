import { execFileSync } from "node:child_process";
import { availableParallelism, cpus, loadavg, release, totalmem } from "node:os";

/** Where and of what was measured. */
export interface Machine {
  readonly processor: string;
  readonly processors: number;
  readonly memoryGib: number;
  readonly kernel: string;
  /** Processes that wanted to run in the minute before the first cell. */
  readonly load: number;
  /** Of this repository; with `+` where files differed from it. */
  readonly commit: string;
  /** ISO 8601, UTC. */
  readonly began: string;
}

export function machine(): Machine {
  const git = (...args: string[]) => execFileSync("git", args, { encoding: "utf8", cwd: import.meta.dirname }).trim();
  const isChanged = git("status", "--porcelain") !== "";
  return {
    processor: cpus()[0]?.model ?? "unknown",
    processors: availableParallelism(),
    memoryGib: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    load: loadavg()[0] ?? 0,
    commit: `${git("rev-parse", "--short=10", "HEAD")}${isChanged ? "+" : ""}`,
    began: new Date().toISOString(),
  };
}

/** Whether something else was running: what is measured then is also that. */
export const isLoaded = ({ load }: Machine): boolean => load > 0.5;
