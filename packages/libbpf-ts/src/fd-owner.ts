import { basename } from "node:path";
import { ownError } from "./errors.ts";
import { type FdHandle, native } from "./native.ts";

/** Key of the native handle: for the files of this package, not for its users. */
export const HANDLE: unique symbol = Symbol("handle");

/**
 * A map, program or link: owner of one file descriptor. Disposing closes it, and again is harmless. One that is forgotten
 * without being disposed is closed some time after it was garbage-collected, so keep it as long as its `fd` is in use.
 */
export abstract class FdOwner<H extends FdHandle> implements Disposable {
  readonly [HANDLE]: H;

  /** @internal Handles come from the native side only. */
  constructor(handle: H) {
    this[HANDLE] = handle;
  }

  /**
   * The file descriptor, still owned by this object.
   * @throws {LibbpfError} ERR_CLOSED
   */
  get fd(): number {
    return native.fd(this[HANDLE]);
  }

  /**
   * Pins it on a BPF file system, where it outlives the process. Unpin with `fs.unlinkSync(path)`.
   * @param path a name that does not exist yet, without a dot: bpffs refuses dots (bpf_lookup() in kernel/bpf/inode.c)
   * @throws {LibbpfError} ERR_PIN_NAME, ERR_CLOSED, EEXIST, ENOENT (no such directory), EPERM (no BPF file system)
   */
  pin(path: string): void {
    if (basename(path).includes("."))
      throw ownError("ERR_PIN_NAME", `cannot pin at ${path}: bpffs refuses names with a dot`);
    native.pin(this[HANDLE], path);
  }

  /** Closes the file descriptor. */
  [Symbol.dispose](): void {
    native.close(this[HANDLE]);
  }
}
