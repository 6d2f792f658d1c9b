/** What can go wrong, by stable code. */
export type VmErrorCode =
  /** Something on this machine is missing or not as needed: the message says what to do. */
  | "ERR_VM_SETUP"
  /** apt could not reach the archive, or refused what it sent. */
  | "ERR_VM_APT"
  /** The archive has no kernel of that line any more. */
  | "ERR_VM_KERNEL_GONE"
  /** The command line is wrong. */
  | "ERR_VM_USAGE";

export class VmError extends Error {
  readonly code: VmErrorCode;

  constructor(code: VmErrorCode, message: string, options: ErrorOptions & { readonly details?: string } = {}) {
    super(options.details ? `${message}\n${options.details.trimEnd()}` : message, options);
    this.name = "VmError";
    this.code = code;
  }
}
