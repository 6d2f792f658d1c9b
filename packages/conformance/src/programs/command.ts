import { spawn } from "node:child_process";
import { isAgent, noteOfLog } from "../agent/log-account.ts";
import { LabError } from "../errors.ts";
import { within } from "../slow.ts";

/** What became of a command that has ended. */
export interface Finished {
  /** Exit status, or `null` when a signal ended it. */
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandOptions {
  /** Written to its standard input, which is then closed. */
  readonly input?: string;
  /** Milliseconds until it is killed; default 20 000, {@link within}. */
  readonly timeoutMs?: number;
  /** Laid over the environment of this process; `undefined` takes a variable away. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
}

/** Runs a command to its end and returns how it ended. Only a command that cannot be started at all throws. */
export async function run(file: string, args: readonly string[], options: CommandOptions = {}): Promise<Finished> {
  const finished = await toItsEnd(file, args, options);
  if (isAgent(args)) {
    noteOfLog({ kind: "started" });
    if ((finished.status ?? 0) !== 0) noteOfLog({ kind: "refused" });
  }
  return finished;
}

async function toItsEnd(file: string, args: readonly string[], options: CommandOptions): Promise<Finished> {
  const child = spawn(file, args, {
    stdio: ["pipe", "pipe", "pipe"],
    env: { ...process.env, ...options.env },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  });
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => stdout.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => stderr.push(chunk));
  // A command may end before it has read its input; how it ended tells more than the EPIPE.
  child.stdin.on("error", () => undefined);
  child.stdin.end(options.input ?? "");
  const timer = setTimeout(() => child.kill("SIGKILL"), options.timeoutMs ?? within(20_000));
  try {
    return await new Promise<Finished>((resolve, reject) => {
      child.once("error", (cause) =>
        reject(new LabError("ERR_LAB_COMMAND", `cannot start ${file}: is it installed and on PATH?`, { cause })),
      );
      child.once("close", (status, signal) =>
        resolve({
          status,
          signal,
          stdout: Buffer.concat(stdout).toString(),
          stderr: Buffer.concat(stderr).toString(),
        }),
      );
    });
  } finally {
    clearTimeout(timer);
  }
}

/** Runs a command that must succeed and returns its standard output. Throws ERR_LAB_COMMAND with its error output. */
export async function runChecked(file: string, args: readonly string[], options?: CommandOptions): Promise<string> {
  const finished = await run(file, args, options);
  if (finished.status !== 0) {
    const how = finished.signal === null ? `status ${finished.status}` : `signal ${finished.signal}`;
    throw new LabError("ERR_LAB_COMMAND", `${[file, ...args].join(" ")} ended with ${how}`, {
      details: finished.stderr || finished.stdout,
    });
  }
  return finished.stdout;
}
