/** Every failure of the lab and its tools, by stable code. The message says what happened, where, and what to do next. */
export const LAB_ERRORS = {
  ERR_LAB_NOT_ROOT: "the lab makes network namespaces and needs root",
  ERR_LAB_COMMAND: "a command the lab needs failed",
  ERR_LAB_UNKNOWN_NAME: "no node, pod or external host of that name is in this lab",
  ERR_LAB_LEFTOVER: "something of the lab could not be removed",
  ERR_PROGRAM_EXITED: "a program in the lab ended although it should run",
  ERR_PROGRAM_NOT_READY: "a program in the lab did not become ready in time",
  ERR_ENDPOINT_REQUEST: "an endpoint could not carry out a request",
  ERR_HAPROXY_MISSING: "no HAProxy binary was found",
  ERR_UNBOUND_MISSING: "no unbound binary was found",
  ERR_CNI_REQUEST: "the agent's CNI socket did not answer as its protocol says",
  ERR_AGENT_NOT_READY: "the agent did not become ready in time",
  ERR_AGENT_LOG: "an agent of the lab left no event log, or one that is decided otherwise when it is replayed",
  ERR_EXPECTATION: "a behaviour is not as it should be",
  ERR_SUITE_USAGE: "the suite was called with arguments it does not know",
} as const;

export type LabErrorCode = keyof typeof LAB_ERRORS;

/** An error of this package. `details` holds what a person needs to see: output of a command, records, excerpts of logs. */
export class LabError extends Error {
  readonly code: LabErrorCode;
  readonly details: string;

  constructor(code: LabErrorCode, message: string, options: { details?: string; cause?: unknown } = {}) {
    const details = options.details?.trim() ?? "";
    super(
      details === "" ? message : `${message}\n${details}`,
      "cause" in options ? { cause: options.cause } : undefined,
    );
    this.name = "LabError";
    this.code = code;
    this.details = details;
  }
}
