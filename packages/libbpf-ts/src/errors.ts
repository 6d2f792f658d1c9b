import { getSystemErrorName } from "node:util";
import { summarise } from "./log-summary.ts";

/**
 * Codes of this library's own errors, and what each means. Every other `code` is the name of an errno (`EPERM`, `EEXIST`, also
 * `ENOTSUPP`, which bpf(2) returns although it is no errno of user space) or one of libbpf's own, prefixed: `LIBBPF_FORMAT`,
 * `LIBBPF_RELOC`, … (`enum libbpf_errno`, bpf/libbpf.h).
 */
export const ERROR_CODES = {
  ERR_CLOSED: "the object, map, program, link or ring buffer was disposed before",
  ERR_NOT_FOUND: "the object has no map or program of that name",
  ERR_NOT_LOADED: "maps and programs exist only after load()",
  ERR_ALREADY_LOADED: "this has to happen before load(), and load() happens once",
  ERR_MAP_MISMATCH: "the existing map differs from the one that the object declares",
  ERR_WRONG_KIND: "the pin or descriptor is of another kind: a map instead of a program, for instance",
  ERR_PER_CPU: "the call does not fit the map: per-CPU maps have one value for each CPU",
  ERR_ITERATION: "the map changed so much while it was read that the reading did not end; read again",
  ERR_PIN_NAME: "the BPF file system refuses names with a dot",
  ERR_NOT_BPFFS: "the path is not on a BPF file system",
  ERR_BTF: "the type information is missing, damaged, or has no such type",
  ERR_UNKNOWN_NAME: "no BPF helper of that name is known",
} as const;

export type OwnErrorCode = keyof typeof ERROR_CODES;

/**
 * Everything that libbpf, bpf(2) or this library refuses. Wrong argument types and sizes are not among them: those are a
 * TypeError (`ERR_INVALID_ARG_TYPE`) or RangeError (`ERR_OUT_OF_RANGE`), as in Node itself.
 */
export class LibbpfError extends Error {
  override readonly name = "LibbpfError";
  /** Name of an errno, of a libbpf error (`LIBBPF_…`), or a key of {@link ERROR_CODES}. */
  readonly code: string;
  /** The negative errno, the negative libbpf code (-4000 and below), or 0 for this library's own errors. */
  readonly errno: number;
  /** The function that failed, for instance `bpf_object__load` or `bpf(BPF_LINK_CREATE)`; empty for own errors. */
  readonly syscall: string;
  /** All that libbpf printed during that call, with the verifier's and the kernel's text; may be megabytes, may be empty. */
  readonly log: string;
  /** Of a batch: how many entries were done before this one failed. Set by the native side. */
  declare readonly count?: number;

  constructor(
    syscall: string,
    code: string,
    errno: number,
    description: string,
    log: string,
    options?: { readonly cause?: unknown },
  ) {
    const detail = summarise(log);
    const where = syscall === "" ? description : `${syscall}: ${code}: ${description}`;
    super(detail === "" ? where : `${where}: ${detail}`, options);
    this.code = code;
    this.errno = errno;
    this.syscall = syscall;
    this.log = log;
  }
}

/** An error of this library's own. */
export function ownError(code: OwnErrorCode, message: string, options?: { readonly cause?: unknown }): LibbpfError {
  return new LibbpfError("", code, 0, message, "", options);
}

/** Runs a call of node:fs; what it throws becomes a LibbpfError of the same code. */
export function fileSystemCall<T>(syscall: string, call: () => T): T {
  try {
    return call();
  } catch (cause) {
    if (cause instanceof LibbpfError || !(cause instanceof Error) || !("errno" in cause)) throw cause;
    const errno = Number(cause.errno);
    throw new LibbpfError(syscall, getSystemErrorName(errno), errno, cause.message, "", { cause });
  }
}
