import { errorCode, errorMessage } from "../../errors.ts";
import type { Failure } from "./messages.ts";

/** An error of the other side of the border. `code` is the original's. */
export class RemoteError extends Error {
  override readonly name = "RemoteError";
  readonly code: string;

  constructor({ code, message }: Failure) {
    super(message);
    this.code = code;
  }
}

/** Long enough for what a verifier says, short enough for a log. */
const LONGEST = 8_000;

/** Also of what is no error, and of an error whose own message throws. */
export function failureOf(error: unknown): Failure {
  try {
    return { code: errorCode(error).slice(0, 100), message: errorMessage(error).slice(0, LONGEST) };
  } catch {
    return { code: "ERR_UNEXPECTED", message: "something was thrown that cannot be shown" };
  }
}
