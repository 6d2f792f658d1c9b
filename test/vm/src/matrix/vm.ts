import { spawn } from "node:child_process";
import { createWriteStream } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../bundle.ts";

/** Where a command is run. */
export interface Machine {
  /** An unpacked kernel; without one the command is run on this machine. */
  readonly kernel?: string;
  /** QEMU's; default `tcg`. */
  readonly accelerator?: string;
  /** Folder that is writable in the guest. */
  readonly results: string;
  /** Folders that have to be visible in the guest. */
  readonly visible: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly limitSeconds: number;
}

/** Exit statuses of `run-in-vm.sh` that are not the command's. */
export const TIME_LIMIT = 124;
export const NO_STATUS = 125;
const INTERRUPTED = 130;
/** Whoever ends this process ends the guest too. */
const SIGNALS = ["SIGINT", "SIGTERM"] as const;

/** Runs a command there; its output goes to this process's, and to `log`. Resolves with its exit status. */
export async function runOn(machine: Machine, log: string, command: readonly string[]): Promise<number> {
  const { kernel, environment, limitSeconds } = machine;
  const [file = "", ...args] =
    kernel === undefined ? ["timeout", "-k", "10", String(limitSeconds), ...command] : inVm(machine, kernel, command);
  const child = spawn(file, args, {
    cwd: ROOT,
    env: { ...process.env, ...environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const end = () => {
    child.kill("SIGTERM");
    process.exit(INTERRUPTED);
  };
  for (const signal of SIGNALS) process.once(signal, end);
  const copy = createWriteStream(log);
  for (const [from, to] of [
    [child.stdout, process.stdout],
    [child.stderr, process.stderr],
  ] as const) {
    from.pipe(to, { end: false });
    from.pipe(copy, { end: false });
  }
  try {
    return await new Promise((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (status) => resolve(status ?? NO_STATUS));
    });
  } finally {
    for (const signal of SIGNALS) process.off(signal, end);
    copy.end();
  }
}

function inVm(machine: Machine, kernel: string, command: readonly string[]): string[] {
  const { environment, visible, results, limitSeconds, accelerator } = machine;
  return [
    join(ROOT, "test/vm/run-in-vm.sh"),
    ...["-k", kernel, "-m", "3072", "-t", String(limitSeconds), "-o", results],
    ...(accelerator === undefined ? [] : ["-a", accelerator]),
    ...visible.flatMap((folder) => ["-s", folder]),
    ...Object.entries(environment).flatMap(([name, value]) => ["-e", `${name}=${value}`]),
    "--",
    ...command,
  ];
}
