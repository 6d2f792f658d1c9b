import { randomBytes } from "node:crypto";
import { closeSync, existsSync, openSync, rmSync, statfsSync, writeSync } from "node:fs";
import { dirname } from "node:path";

/** A file system has room for the reserve if it has so many times as much: what is left is others' too. */
const ROOM = 4;
/** On one that has less than so many times the reserve, the log does not grow. */
const CROWDED = 2;

/** Where the room is kept that a full disk no longer has. */
export const reservePath = (log: string): string => `${log}.reserve`;

/** Whether the log's file system is nearly full, whoever has filled it. `bytes`: the size of the reserve. */
export const isCrowded = (log: string, bytes: number): boolean => roomBeside(log) < CROWDED * bytes;

function roomBeside(log: string): number {
  const { bavail, bsize } = statfsSync(dirname(log));
  return bavail * bsize;
}

/**
 * Takes room that can be given up, unless it is taken already or the file system has little itself. Random bytes: zeros take no room where a
 * file system compresses. Returns whether there is a reserve.
 */
export function takeReserve(log: string, bytes: number): boolean {
  const path = reservePath(log);
  if (existsSync(path)) return true;
  if (roomBeside(log) < ROOM * bytes) return false;
  const file = openSync(path, "wx", 0o600);
  try {
    writeSync(file, randomBytes(bytes));
  } catch (error) {
    rmSync(path, { force: true });
    // Others were quicker, or there is a quota that statfs(2) does not know of.
    if (["ENOSPC", "EDQUOT"].includes((error as NodeJS.ErrnoException).code ?? "")) return false;
    throw error;
  } finally {
    closeSync(file);
  }
  return true;
}

/** Returns whether there was one to give up. */
export function giveUpReserve(log: string): boolean {
  const path = reservePath(log);
  if (!existsSync(path)) return false;
  rmSync(path, { force: true });
  return true;
}
