import { IptablesError, type IptablesErrorCode } from "../errors.ts";

export interface CommandFailure {
  /** The whole command as it was run, with its place: what somebody would type to see it fail again. */
  readonly command: string;
  /** All of what it printed on standard error. */
  readonly stderr: string;
  /** undefined: it did not start, or was killed. */
  readonly exitCode?: number | undefined;
  /** The line of the standard input that it refused, where it says which. */
  readonly line?: string | undefined;
  readonly cause?: unknown;
}

/** A program that this backend ran has failed. */
export class CommandError extends IptablesError {
  override readonly name = "CommandError";
  readonly command: string;
  readonly stderr: string;
  readonly exitCode: number | undefined;
  readonly line: string | undefined;

  constructor(code: IptablesErrorCode, message: string, failure: CommandFailure) {
    super(code, message, failure.cause === undefined ? undefined : { cause: failure.cause });
    this.command = failure.command;
    this.stderr = failure.stderr;
    this.exitCode = failure.exitCode;
    this.line = failure.line;
  }
}
