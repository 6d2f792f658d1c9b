/** What these helpers refuse. Codes are stable, and the same as in the backends that use them. */
export const HOST_ERRORS = {
  ERR_INTERFACE_GONE: "the pod's interface or network namespace is not there any more, or is another one now",
  ERR_JOURNAL_BUSY: "another process holds the lock of the journal",
  ERR_PROGRAM_MISSING: "a program is not installed",
  ERR_PROGRAM_FAILED: "a program did not do what it was started for",
  ERR_FOREIGN_OBJECT: "an object of somebody else stands exactly where ours would have to be",
} as const;

export type HostErrorCode = keyof typeof HOST_ERRORS;

export class HostError extends Error {
  override readonly name = "HostError";
  readonly code: HostErrorCode;

  constructor(code: HostErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
