import { closeSync, constants, openSync } from "node:fs";
import { calling } from "./errors.ts";
import { native } from "./native.ts";

/** The same on a directory, which has to be there: no file of its own says that it is locked. */
export function tryLockDirectory(path: string): Disposable | undefined {
  return tryLock(path, "directory", constants.O_RDONLY | constants.O_DIRECTORY);
}

/**
 * Takes an exclusive lock on the file (made with mode 0600 when absent), for instance to run only once. Undefined when somebody else
 * holds it. The kernel lets go of it when the process ends, however it ends (flock(2)). The file stays: removing a lock file lets two
 * processes lock two files of one name.
 */
export function tryLockFile(path: string): Disposable | undefined {
  return tryLock(path, "lock file", constants.O_RDWR | constants.O_CREAT);
}

function tryLock(path: string, what: string, flags: number): Disposable | undefined {
  const fd = calling(`opening the ${what} ${path}`, () => openSync(path, flags, 0o600));
  try {
    if (calling(`locking ${path}`, () => native.lockDescriptor(fd))) return new FileLock(fd);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  closeSync(fd);
  return undefined;
}

class FileLock implements Disposable {
  #fd: number | undefined;

  constructor(fd: number) {
    this.#fd = fd;
  }

  /** Lets go; doing it again does nothing. */
  [Symbol.dispose](): void {
    if (this.#fd === undefined) return;
    closeSync(this.#fd);
    this.#fd = undefined;
  }
}
