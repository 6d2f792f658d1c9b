import { randomBytes } from "node:crypto";
import {
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fsyncSync,
  linkSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { errorCode } from "@millrace/core/internal";
import { renameExchange } from "linux-ts";
import { InstallError } from "../errors.ts";
import { listNames, type Ownership } from "./config-directory.ts";

/** Whoever looks for network configurations or plugins takes no such name. */
const TEMPORARY = /^\.millrace-[0-9a-f]{16}\.tmp$/;

/** Whether a file is one that a crash left half written. */
export const isTemporary = (name: string): boolean => TEMPORARY.test(name);

const temporaryBeside = (path: string): string =>
  join(dirname(path), `.millrace-${randomBytes(8).toString("hex")}.tmp`);

export interface Replacement extends Ownership {
  readonly bytes: Uint8Array;
  /** What has to be at the path for it to be replaced; undefined: nothing. */
  readonly expected: Uint8Array | undefined;
}

/**
 * Puts a file in the place of another in one step that survives a power cut: written beside it, synced, moved, and the directory synced.
 *
 * What somebody else writes meanwhile is not lost: the two files swap places, what came out is compared with what was expected, and put
 * back if it is something else. Throws `ERR_CONFIG_CHANGING` then, and when something else is there from the beginning; look again.
 */
export function replaceFile(path: string, { bytes, expected, ...ownership }: Replacement): void {
  const temporary = temporaryBeside(path);
  try {
    writeSynced(temporary, bytes, ownership);
    if (expected === undefined) placeNew(temporary, path);
    else swap(temporary, path, bytes, expected);
  } finally {
    rmSync(temporary, { force: true });
  }
  syncDirectory(dirname(path));
}

/**
 * Removes a file, and makes sure that it stays removed. Throws `ERR_CONFIG_CHANGING`, with nothing removed, when it holds something else
 * than expected; it need not be there at all.
 */
export function removeFile(path: string, expected: Uint8Array): void {
  const aside = temporaryBeside(path);
  try {
    renameSync(path, aside);
  } catch (error) {
    if (errorCode(error) === "ENOENT") return;
    throw error;
  }
  const unexpected = !holds(aside, expected);
  if (unexpected) placeBack(aside, path);
  rmSync(aside);
  syncDirectory(dirname(path));
  if (unexpected) throw changing(path);
}

/** A file that somebody has written since is newer than what we took away, and stays. */
function placeBack(aside: string, path: string): void {
  try {
    linkSync(aside, path);
  } catch (error) {
    if (errorCode(error) !== "EEXIST") throw error;
  }
}

/** Removes what a writer that was killed left half written. Nobody of us may be writing. */
export function sweepTemporaries(directory: string): void {
  for (const name of listNames(directory) ?? []) {
    if (TEMPORARY.test(name)) rmSync(join(directory, name), { force: true });
  }
}

function writeSynced(path: string, bytes: Uint8Array, { mode, uid, gid }: Ownership): void {
  const fd = openSync(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600);
  try {
    writeFileSync(fd, bytes);
    fchmodSync(fd, mode); // whatever the umask; and as long as the file is ours, or it would need CAP_FOWNER
    fchownSync(fd, uid, gid);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** link(2), unlike rename(2), replaces nothing. */
function placeNew(temporary: string, path: string): void {
  try {
    linkSync(temporary, path);
  } catch (error) {
    if (errorCode(error) === "EEXIST") throw changing(path, error);
    throw error;
  }
}

function swap(temporary: string, path: string, bytes: Uint8Array, expected: Uint8Array): void {
  if (!holds(path, expected)) throw changing(path);
  try {
    renameExchange(temporary, path);
  } catch (error) {
    if (errorCode(error) === "ENOENT") throw changing(path, error);
    if (errorCode(error) !== "EINVAL") throw error;
    renameSync(temporary, path); // a file system that cannot swap: what is written between the look and this is lost
    return;
  }
  const out = readFileSync(temporary);
  if (out.equals(expected)) return;
  putBack(temporary, path, out, bytes);
  throw changing(path);
}

/**
 * Somebody's newer file came `out`, and goes back to the path. What comes out in turn should be what was `put` there last; if not, it was
 * written since, over ours or in its place, and is the newest: then that goes back, until nobody has written between two swaps.
 */
function putBack(temporary: string, path: string, out: Buffer, put: Uint8Array): void {
  try {
    renameExchange(temporary, path);
  } catch (error) {
    if (errorCode(error) === "ENOENT") return; // removed by now, which is newer still
    throw error;
  }
  const next = readFileSync(temporary);
  if (!next.equals(put)) putBack(temporary, path, next, out);
}

function holds(path: string, bytes: Uint8Array): boolean {
  try {
    return readFileSync(path).equals(bytes);
  } catch (error) {
    if (errorCode(error) === "ENOENT") return false;
    throw error;
  }
}

function changing(path: string, cause?: unknown): InstallError {
  const message = `${path} changed while it was about to be replaced or removed; nothing of it was touched`;
  return new InstallError("ERR_CONFIG_CHANGING", message, cause === undefined ? {} : { cause });
}

function syncDirectory(directory: string): void {
  const fd = openSync(directory, "r");
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
