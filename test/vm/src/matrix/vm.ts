import { type ChildProcess, spawn } from "node:child_process";
import { createWriteStream } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { ROOT } from "../bundle.ts";

/** Where a command is run. */
export interface Machine {
  /** An unpacked kernel; without one the command is run on this machine. */
  readonly kernel?: string;
  /** Of the guest; default: that of run-in-vm.sh. */
  readonly processors?: number;
  /** Stands before each line of output. */
  readonly label?: string;
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
/** Whoever ends this process ends the guests too. */
const SIGNALS = ["SIGINT", "SIGTERM"] as const;
const running = new Set<ChildProcess>();

function endAll(): never {
  for (const child of running) child.kill("SIGTERM");
  process.exit(INTERRUPTED);
}

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
  if (running.size === 0) for (const signal of SIGNALS) process.once(signal, endAll);
  running.add(child);
  const copy = createWriteStream(log);
  for (const [from, to] of [
    [child.stdout, process.stdout],
    [child.stderr, process.stderr],
  ] as const) {
    if (machine.label === undefined) from.pipe(to, { end: false });
    else createInterface(from).on("line", (line) => to.write(`${machine.label}  ${line}\n`));
    from.pipe(copy, { end: false });
  }
  try {
    return await new Promise((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (status) => resolve(status ?? NO_STATUS));
    });
  } finally {
    running.delete(child);
    if (running.size === 0) for (const signal of SIGNALS) process.off(signal, endAll);
    copy.end();
  }
}

function inVm(machine: Machine, kernel: string, command: readonly string[]): string[] {
  const { environment, visible, results, limitSeconds, accelerator, processors } = machine;
  return [
    join(ROOT, "test/vm/run-in-vm.sh"),
    ...["-k", kernel, "-m", "3072", "-t", String(limitSeconds), "-o", results],
    ...(accelerator === undefined ? [] : ["-a", accelerator]),
    ...(processors === undefined ? [] : ["-c", String(processors)]),
    ...visible.flatMap((folder) => ["-s", folder]),
    ...Object.entries(environment).flatMap(([name, value]) => ["-e", `${name}=${value}`]),
    "--",
    ...command,
  ];
}
