import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { errorCode, errorMessage } from "../errors.ts";
import { DIES_WITH_US } from "./dies-with-us.ts";
import { HostError } from "./errors.ts";

export interface ProgramOptions {
  /** Standard input; without one it is empty. */
  readonly input?: string;
  /** Network namespace to run in: an open descriptor, or a path such as `/run/netns/blue`. The program sees the node's files all the same. */
  readonly netns?: number | string;
  /** Ends the program (SIGKILL). Give it the signal of the call that it serves. */
  readonly signal?: AbortSignal;
}

/** Where nsenter(1) finds a namespace that is handed on: the first descriptor behind the standard streams. */
const NETNS = "/proc/self/fd/3";
/** setpriv(1) and nsenter(1) end with this when there is no such program (util-linux, include/exitcodes.h, EX_EXEC_ENOENT). */
const NOT_FOUND = 127;

/**
 * Runs a program to its end and resolves with what it printed. It does not outlive this process, however that ends: what a killed agent has begun would go on beside what
 * the next one does. Its messages are English, and programs of administrators are found.
 *
 * Rejects with a {@link HostError}: `ERR_PROGRAM_MISSING`, and `ERR_PROGRAM_FAILED` with what it wrote on standard error; with the signal's reason when that is aborted.
 */
export async function runProgram(command: readonly string[], options: ProgramOptions = {}): Promise<string> {
  const { input = "", netns, signal } = options;
  signal?.throwIfAborted();
  const place = typeof netns === "number" ? NETNS : netns;
  const [file = "", ...args] = [
    ...DIES_WITH_US,
    ...(place === undefined ? [] : ["nsenter", `--net=${place}`]),
    ...command,
  ];
  const { PATH = "/usr/bin:/bin", ...environment } = process.env;
  const child = spawn(file, args, {
    stdio: ["pipe", "pipe", "pipe", ...(typeof netns === "number" ? [netns] : [])],
    env: { ...environment, LC_ALL: "C", PATH: `${PATH}:/usr/sbin:/sbin` },
    killSignal: "SIGKILL",
    ...(signal && { signal }),
  });
  const { stdin, stdout, stderr } = child;
  if (stdin === null || stdout === null || stderr === null) throw new Error("spawn(2) made no pipes");
  stdin.once("error", () => undefined); // what it left unread it says by its exit code
  stdin.end(input);
  const fail = (why: string, cause?: unknown) =>
    new HostError("ERR_PROGRAM_FAILED", `${command.join(" ")}: ${why}`, { cause });
  let said: readonly [[number | null, string | null], string, string];
  try {
    said = await Promise.all([
      once(child, "close") as Promise<[number | null, string | null]>,
      text(stdout),
      text(stderr),
    ]);
  } catch (error) {
    if (signal?.aborted) throw signal.reason;
    if (errorCode(error) === "ENOENT") throw missing(file, error);
    throw fail(errorMessage(error), error);
  }
  const [[code, by], out, err] = said;
  if (code === 0) return out;
  if (code === NOT_FOUND && /^(setpriv|nsenter): failed to execute/.test(err)) throw missing(command[0] ?? file);
  throw fail(err.trim() || `it ended with ${by ?? `exit code ${code}`}`);
}

function missing(program: string, cause?: unknown): HostError {
  return new HostError(
    "ERR_PROGRAM_MISSING",
    `${program} is not installed: install its package, or take an image that has it`,
    { cause },
  );
}
