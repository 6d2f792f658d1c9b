import { mkdirSync, statSync } from "node:fs";
import { tryLockDirectory } from "linux-ts";
import { errorCode } from "../errors.ts";
import { HostError } from "./errors.ts";
import { removeEmpty } from "./remove-empty.ts";

const PAUSE_MS = 2;
/** What is done under the lock are a few small files: who has it longer than this has stopped, or the node has no time for it. */
const PATIENCE_MS = 10_000;

/**
 * Does something while no other process does anything in a directory, which is made when it is not there, and removed again when nothing came to be in it. The kernel lets go of
 * the lock when its process ends (flock(2)). What is done is done at once, without an await, so within a process there is nothing to wait for.
 *
 * Throws `ERR_JOURNAL_BUSY`.
 */
export function lockedDirectory<T>(directory: string, work: () => T): T {
  const end = performance.now() + PATIENCE_MS;
  let isNew = false;
  do {
    isNew = mkdirSync(directory, { recursive: true, mode: 0o700 }) !== undefined || isNew;
    using lock = tryLock(directory);
    if (lock !== undefined) {
      try {
        return work();
      } finally {
        if (isNew) removeEmpty(directory);
      }
    }
    Atomics.wait(nothing, 0, 0, PAUSE_MS);
  } while (performance.now() < end);
  throw new HostError(
    "ERR_JOURNAL_BUSY",
    `${directory} has been locked by another process for ${PATIENCE_MS} ms: \`lslocks\` names it; it is tried again`,
  );
}

/** Undefined also where who had it has removed it: then what is locked is nobody's any more. */
function tryLock(directory: string): Disposable | undefined {
  try {
    const { ino } = statSync(directory);
    const lock = tryLockDirectory(directory);
    if (lock === undefined || statSync(directory, { throwIfNoEntry: false })?.ino === ino) return lock;
    lock[Symbol.dispose]();
  } catch (error) {
    if (errorCode(error) !== "ENOENT") throw error;
  }
  return undefined;
}

/** To sleep on: the sysctls of a namespace are changed without an await in between. */
const nothing = new Int32Array(new SharedArrayBuffer(4));
