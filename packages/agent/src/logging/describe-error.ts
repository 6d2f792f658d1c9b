/** What logs and the command line tell of an error. */
export interface ErrorDescription {
  /** Stable code of the outermost error that has one. */
  readonly code?: string;
  /** The messages of the error and its causes, outermost first, each told once. */
  readonly message: string;
}

const MAX_CAUSES = 8;

function messageOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === "") return error.errors.map(messageOf).join("; ");
  return error instanceof Error ? error.message || error.name : String(error);
}

/** A list of mistakes, as zod throws it: whoever wraps one has put it into words already. */
const isIssueList = (error: unknown): boolean => error instanceof Error && "issues" in error;

/** Flattens an error and the chain of its causes. A cause that its parent already quotes is not repeated. */
export function describeError(error: unknown): ErrorDescription {
  let code: string | undefined;
  let message = "";
  let current: unknown = error;
  for (let depth = 0; current !== undefined && current !== null && depth < MAX_CAUSES; depth += 1) {
    const text = messageOf(current);
    if (message === "") message = text;
    else if (!message.includes(text) && !isIssueList(current)) message += `: ${text}`;
    if (typeof current !== "object") break;
    const own = (current as { code?: unknown }).code;
    if (code === undefined && typeof own === "string") code = own;
    current = (current as { cause?: unknown }).cause;
  }
  return { ...(code !== undefined && { code }), message };
}
