import { readdirSync, readFileSync, rmSync } from "node:fs";
import { pause } from "../pause.ts";
import { Program } from "../programs/program.ts";
import { within } from "../slow.ts";
import { isAt, type Point, ROLES, type Role } from "./points.ts";
import { parseTrace, type TracedCall } from "./trace.ts";

/** Everything by which the agent, or a program that it starts, changes something outside it. mount(2) and setns(2) are seen but change nothing of ours. */
const CALLS = [
  ...["bpf", "sendto", "sendmsg", "setns", "mount", "write", "pwrite64", "fsync", "fdatasync", "ftruncate"],
  ...[
    "mkdir",
    "mkdirat",
    "rmdir",
    "rename",
    "renameat",
    "renameat2",
    "unlink",
    "unlinkat",
    "symlink",
    "symlinkat",
    "link",
    "linkat",
  ],
  ...["clone", "clone3", "fork", "vfork", "execve", "wait4"],
];

const COMMON = ["-y", "-s", "96", "-e", "signal=none"];

/** Threads of a process by what they do. */
export function threadsOf(pid: number): Map<number, Role> {
  const roles = Object.entries(ROLES) as [Role, string][];
  return new Map(
    readdirSync(`/proc/${pid}/task`).flatMap((tid) => {
      const name = readFileSync(`/proc/${pid}/task/${tid}/comm`, "utf8").trim();
      const role = Number(tid) === pid ? "main" : roles.find(([, thread]) => thread === name)?.[0];
      return role === undefined ? [] : [[Number(tid), role] as const];
    }),
  );
}

/** How to start a program so that all it does is written to `file`; the process that is started is the program. */
export const tracedFromStart = (file: string): string[] => [
  // With a filter in the kernel only these calls are looked at: a program starts no slower than by itself.
  ...["strace", "-D", "-f", "--seccomp-bpf", "-qq", ...COMMON, "-e", `trace=${CALLS.join()}`, "-o", file, "--"],
];

/** How to start a program so that its main thread is struck at the point. */
export const struckFromStart = (point: Point, file: string): string[] => [
  "strace",
  "-D",
  "-qq",
  ...injection(point, file),
  "--",
];

function injection({ call, path, ordinal, side }: Point, file: string): string[] {
  const what = side === "before" ? "signal=KILL" : `delay_exit=${HELD_SECONDS}s`;
  return [
    ...[...COMMON, "-o", file, "-e", `trace=${call}`, "-e", `inject=${call}:${what}:when=${ordinal}`],
    ...(path === undefined ? [] : ["-P", path]),
  ];
}

/** As long as a thread is held at the return of a call; it is killed well before. */
const HELD_SECONDS = 600;

/** strace(1) beside a process that runs already. */
export class Tracer implements AsyncDisposable {
  readonly file: string;
  readonly #program: Program;

  private constructor(args: readonly string[], file: string) {
    rmSync(file, { force: true });
    this.file = file;
    this.#program = Program.start("strace", "strace", args);
  }

  /** Writes down what all threads of a process do, and what it starts. */
  static follow(pid: number, file: string): Promise<Tracer> {
    return Tracer.#attached(["-f", ...COMMON, "-e", `trace=${CALLS.join()}`, "-o", file, "-p", String(pid)], file);
  }

  /** Strikes one thread of a process at the point: counters are a thread's own, and children are left alone (strace(1), `--inject`). */
  static strike(tid: number, point: Point, file: string): Promise<Tracer> {
    return Tracer.#attached([...injection(point, file), "-p", String(tid)], file);
  }

  static async #attached(args: readonly string[], file: string): Promise<Tracer> {
    const tracer = new Tracer(args, file);
    const attached = () => tracer.#program.lines.some((line) => line.includes("attached"));
    await tracer.#program.until("it was attached", attached);
    return tracer;
  }

  /** Lets go of a process that still runs. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#program.stop("SIGTERM");
  }
}

export interface Victim {
  readonly pid: number;
  readonly running: boolean;
}

/**
 * Waits until the process was killed at the point: before a call strace does it; at the return of one it holds the thread, and the
 * process is killed here. False when it was not within `timeoutMs`. It is not asked how far it has come: while it is held it answers nobody.
 */
export async function struck(point: Point, victim: Victim, file: string, timeoutMs = within(60_000)): Promise<boolean> {
  const deadline = performance.now() + timeoutMs;
  let isKilled = false;
  for (;;) {
    const began = performance.now();
    if (!victim.running) return point.side === "before" || heldCall(file) !== undefined;
    if (point.side === "after" && !isKilled && heldCall(file) !== undefined) {
      isKilled = true;
      const tracers = tracersOf(victim.pid);
      process.kill(victim.pid, "SIGKILL");
      // As long as it holds the thread, it keeps from us that the process has ended (ptrace(2), "Death under ptrace").
      for (const tracer of tracers) process.kill(tracer, "SIGKILL");
    } else if (performance.now() > deadline) {
      return false;
    }
    await pause(10, began);
  }
}

/** The strace that follows a process, or a thread of it. */
function tracersOf(pid: number): Set<number> {
  const tracers = readdirSync(`/proc/${pid}/task`).map((tid) => {
    const status = readFileSync(`/proc/${pid}/task/${tid}/status`, "utf8");
    return Number(/^TracerPid:\t(\d+)$/m.exec(status)?.[1]);
  });
  return new Set(tracers.filter((tracer) => tracer > 0));
}

/** Whether the last call that strace told of is the one that was meant, and not another one that had come to have its number. */
export function hit(point: Point, file: string, root: string): boolean {
  const last = point.side === "before" ? traced(file).at(-1) : heldCall(file);
  return last !== undefined && isAt(point, last, root) && (point.side === "after" || last.result === "?");
}

const heldCall = (file: string): TracedCall | undefined => traced(file).findLast(({ delayed }) => delayed);

function traced(file: string): TracedCall[] {
  try {
    return parseTrace(readFileSync(file, "utf8"), 0);
  } catch (error) {
    // strace makes it when it begins.
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}
