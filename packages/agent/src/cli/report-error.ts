import { CommanderError } from "commander";
import { adviceFor } from "../advice.ts";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import { describeError } from "../logging/describe-error.ts";
import type { Output } from "./output.ts";

/** The exit code that an error stands for. */
export function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  return adviceFor(error).exit;
}

/**
 * Tells a person what went wrong: `error CODE: message`, then what to do. No stack unless asked for.
 *
 * @returns the exit code.
 */
export async function reportError(error: unknown, err: Output, debug: boolean): Promise<ExitCode> {
  const exit = exitCodeOf(error);
  // commander has printed its own text by now: the message, or the help that was asked for
  if (error instanceof CommanderError) return exit;
  const { code: outermost = "ERR_UNEXPECTED", message } = describeError(error);
  const { code = outermost, hint } = adviceFor(error);
  await err.write(`${err.palette.bad("error")} ${code}: ${message}\n`);
  if (hint !== undefined) await err.write(`${err.palette.dim("hint")}  ${hint}\n`);
  if (debug) await err.write(`${inspectStack(error)}\n`);
  return exit;
}

function inspectStack(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? "" : `\ncaused by ${inspectStack(error.cause)}`;
  return `${error.stack ?? error.message}${cause}`;
}
