import { constants } from "node:os";

/** What this package itself finds wrong, by code. Failed system calls carry the name of their errno instead (`ENODEV`, `EPERM`, …). */
export const errorCodes = {
  ERR_ADDON: "the native addon cannot be loaded",
  ERR_AMBIGUOUS: "the kernel would remove another object than the one that was named",
  ERR_INVALID_ARGUMENT: "an argument is not of the documented shape",
  ERR_MALFORMED: "bytes that were to be decoded are shorter than they claim, or have an impossible value",
  ERR_NO_DESCRIPTOR: "the socket has no file descriptor",
  ERR_NOT_A_NETNS: "the file is no network namespace",
} as const;

export interface LinuxErrorDetails {
  /** Negative, as Node has it; 0 when no system call failed. */
  errno?: number;
  /** The call that failed, with what it was about: `setns`, `recvmsg RTM_NEWROUTE`. */
  syscall?: string;
  cause?: unknown;
}

/**
 * The one error class of this package. `code` is stable: an errno's name, or a key of {@link errorCodes}. For netlink, the message ends
 * with the kernel's own explanation (extended acknowledgement, Documentation/userspace-api/netlink/intro.rst) where it gave one.
 */
export class LinuxError extends Error {
  override readonly name = "LinuxError";
  readonly code: string;
  readonly errno: number;
  readonly syscall: string;

  constructor(code: string, message: string, details: LinuxErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.errno = details.errno ?? 0;
    this.syscall = details.syscall ?? "";
  }
}

/** Kernel-internal codes that reach user space through netlink all the same (include/linux/errno.h). */
const kernelErrnos: Readonly<Record<number, string>> = { 524: "ENOTSUPP" };
/** Two names for one number: the one that the man pages of sockets and netlink use. */
const preferred: Readonly<Record<number, string>> = { 11: "EAGAIN", 95: "EOPNOTSUPP" };

/** The name of an errno, sign ignored: `errnoName(-17)` is `"EEXIST"`. A number without a name becomes `ERRNO_<n>`. */
export function errnoName(errno: number): string {
  const number = Math.abs(errno);
  const named = Object.entries(constants.errno).find(([, value]) => value === number)?.[0];
  return preferred[number] ?? named ?? kernelErrnos[number] ?? `ERRNO_${number}`;
}

/** Makes a LinuxError of whatever the native side or node:fs threw; anything without errno is rethrown as it is by the caller. */
export function fromSystemError(error: unknown, doing: string): unknown {
  if (!(error instanceof Error) || error instanceof LinuxError) return error;
  const { errno, syscall } = error as NodeJS.ErrnoException;
  if (typeof errno !== "number") return error;
  const code = errnoName(errno);
  const details = { errno: -Math.abs(errno), cause: error, ...(syscall === undefined ? {} : { syscall }) };
  return new LinuxError(code, `${doing}: ${syscall ?? "call"} failed with ${code}`, details);
}

/** Runs one native call; a failure becomes a LinuxError that says what was being done. A text that costs something comes as a function. */
export function calling<T>(doing: string | (() => string), call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw fromSystemError(error, typeof doing === "string" ? doing : doing());
  }
}

/** {@link calling} of what happens on another thread. */
export async function callingAsync<T>(doing: () => string, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    throw fromSystemError(error, doing());
  }
}
