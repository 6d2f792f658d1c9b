import { type ChildProcess, spawn } from "node:child_process";
import { buffer } from "node:stream/consumers";
import { errorMessage } from "@millrace/core/internal";
import { DIES_WITH_US } from "@millrace/host";
import type { IptablesErrorCode } from "../errors.ts";
import { CommandError } from "./command-error.ts";
import { packageOf } from "./programs.ts";
import { refusedLine } from "./refused-line.ts";

/** A network namespace to run in: an open descriptor, a path such as `/run/netns/blue`, or undefined for the agent's own. */
export type NetnsPlace = number | string | undefined;

export interface RunOptions {
  readonly netns?: NetnsPlace;
  /** Standard input; without one it is /dev/null. */
  readonly input?: string | undefined;
  /** Stops the program (SIGKILL) and rejects with `ERR_ABORTED`. */
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds after which it is stopped (SIGKILL) and the call rejects with `ERR_COMMAND_TIMEOUT`. */
  readonly deadline?: number | undefined;
}

/** A restore of tens of thousands of rules takes seconds, and may first wait 5 s for the lock. */
const DEADLINE = 30_000;

/** The descriptor that a child finds the network namespace at: the first one behind its standard streams. */
const CHILD_NETNS_FD = 3;

/**
 * Runs a program to its end and resolves with what it printed. It never blocks the event loop. What changes something is
 * told it as its input, and does not outlive this process; what only reads may: it is not worth the start of another program.
 *
 * The network namespace is entered by nsenter(1) and nothing else is, so that the program sees the agent's own files: `ip netns exec`
 * would mount another /sys. A descriptor is handed to the child, because Node opens all of its own with O_CLOEXEC.
 *
 * Rejects with a {@link CommandError}: `ERR_COMMAND_MISSING`, `ERR_COMMAND_FAILED`, `ERR_COMMAND_TIMEOUT`, `ERR_ABORTED`,
 * `ERR_NOT_PERMITTED`, `ERR_XTABLES_LOCKED`.
 */
export async function run(program: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
  const { netns, input, signal, deadline = DEADLINE } = options;
  const place = typeof netns === "number" ? `/proc/self/fd/${CHILD_NETNS_FD}` : netns;
  const words = place === undefined ? [program, ...args] : ["nsenter", `--net=${place}`, program, ...args];
  const command = words.join(" ");
  const [file = program, ...rest] = input === undefined ? words : [...DIES_WITH_US, ...words];
  const timeout = AbortSignal.timeout(deadline);
  const stop = signal === undefined ? timeout : AbortSignal.any([signal, timeout]);

  const fail = (
    code: IptablesErrorCode,
    why: string,
    more: { stderr?: string; exitCode?: number; cause?: unknown },
  ) => {
    const { stderr = "" } = more;
    const line = refusedLine(stderr, input ?? "");
    const about = line === undefined ? "" : ` (its input there: ${line})`;
    return new CommandError(code, `${command}: ${why}${about}`, { command, line, ...more, stderr });
  };

  const child = spawn(file, rest, {
    stdio: [input === undefined ? "ignore" : "pipe", "pipe", "pipe", ...(typeof netns === "number" ? [netns] : [])],
    env: environment(),
    signal: stop,
    killSignal: "SIGKILL",
  });
  try {
    const [status, stdout, stderr] = await Promise.all([ended(child, input), text(child, 1), text(child, 2)]);
    if (status.exitCode === 0 && status.inputError === undefined) return stdout;
    if (status.exitCode === 0) {
      throw fail("ERR_COMMAND_FAILED", "it ended before it had read its input", { stderr, cause: status.inputError });
    }
    const absent = missingProgram(status.exitCode, stderr);
    if (absent !== undefined) throw fail("ERR_COMMAND_MISSING", missing(absent), { stderr });
    const code = classify(stderr);
    throw fail(code, `${reason(stderr) || `exit code ${status.exitCode}`}${ADVICE[code] ?? ""}`, { stderr, ...status });
  } catch (error) {
    if (error instanceof CommandError) throw error;
    if (signal?.aborted) throw fail("ERR_ABORTED", "stopped, because the agent stops", { cause: signal.reason });
    if (timeout.aborted) throw fail("ERR_COMMAND_TIMEOUT", `stopped after ${deadline} ms`, { cause: error });
    const isAbsent = (error as NodeJS.ErrnoException).code === "ENOENT";
    if (isAbsent) throw fail("ERR_COMMAND_MISSING", missing(file), { cause: error });
    throw fail("ERR_COMMAND_FAILED", errorMessage(error), { cause: error });
  }
}

interface Ended {
  readonly exitCode: number;
  /** The input could not be written to its end: the program had gone by then. Its exit code says more, unless that is 0. */
  readonly inputError: Error | undefined;
}

function ended(child: ChildProcess, input: string | undefined): Promise<Ended> {
  let inputError: Error | undefined;
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, by) => {
      if (code === null) reject(new Error(`killed by ${by}`));
      else resolve({ exitCode: code, inputError });
    });
    child.stdin?.once("error", (error) => {
      inputError = error;
    });
    child.stdin?.end(input);
  });
}

async function text(child: ChildProcess, fd: 1 | 2): Promise<string> {
  const stream = fd === 1 ? child.stdout : child.stderr;
  return stream === null ? "" : (await buffer(stream)).toString();
}

/** Read once: reading all of the environment takes longer than anything else here but the start of the program itself. */
const ENVIRONMENT = { ...process.env };

/** Messages are read, so they have to be in English; administrators' tools are looked for where they are on every distribution. */
function environment(): NodeJS.ProcessEnv {
  return { ...ENVIRONMENT, LC_ALL: "C", PATH: `${process.env.PATH ?? "/usr/bin:/bin"}:/usr/sbin:/sbin` };
}

/** Both end with 127 when they find no such program (util-linux, include/exitcodes.h, EX_EXEC_ENOENT), and name it. */
function missingProgram(exitCode: number, stderr: string): string | undefined {
  return exitCode === 127 ? /^(?:setpriv|nsenter): failed to execute ([^:]+): /.exec(stderr)?.[1] : undefined;
}

function missing(program: string): string {
  return `${program} is not installed: install the package ${packageOf(program)}, or take an image that has it`;
}

/** What it says in one line, without remarks that tell nothing about the failure. */
function reason(stderr: string): string {
  const lines = stderr.split("\n").filter((line) => line !== "" && !/^(Try `|Ignoring deprecated )/.test(line));
  return lines.join("; ");
}

function classify(stderr: string): IptablesErrorCode {
  // iptables 1.8.9, iptables/xshared.c: "Another app is currently holding the xtables lock".
  if (stderr.includes("xtables lock")) return "ERR_XTABLES_LOCKED";
  if (/Operation not permitted|Permission denied/.test(stderr)) return "ERR_NOT_PERMITTED";
  return "ERR_COMMAND_FAILED";
}

const ADVICE: Partial<Record<IptablesErrorCode, string>> = {
  ERR_XTABLES_LOCKED: ". It is tried again; who holds /run/xtables.lock is told by fuser -v /run/xtables.lock",
  ERR_NOT_PERMITTED:
    ". The agent needs CAP_NET_ADMIN, CAP_NET_RAW and CAP_SYS_ADMIN (setns): check its securityContext",
};
