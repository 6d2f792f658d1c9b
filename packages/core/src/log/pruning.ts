import type { DatabaseSync } from "node:sqlite";
import { DAY_MS, type LogLimits, sharesOf } from "./limits.ts";
import { prepared } from "./prepared.ts";

/** Pages that are given back to the file system at once: little enough not to keep the writer for long. */
const VACUUM_PAGES = 500;

/** Of the file, what is kept free on a full disk: rows that come take pages of rows that went, and the file does not grow. */
const FREE = 1 / 8;

interface Pages {
  readonly size: number;
  readonly all: number;
  readonly free: number;
}

/**
 * Deletes the oldest stretch, from the first row to the next snapshot, if that is beyond a limit; returns how many rows went. At every moment
 * the log begins with a snapshot or with its very first row, so that it can be replayed from there, and the newest snapshot stays. What lies
 * between two snapshots is little enough not to keep the writer for long.
 */
export function prune(db: DatabaseSync, limits: LogLimits, now: Date): number {
  const second = secondSnapshot(db);
  return second !== undefined && isBeyond(db, second, limits, now) ? deleteBefore(db, second.seq) : 0;
}

/** The same on a full disk, whatever the limits: while the file would grow soon. */
export function pruneForRoom(db: DatabaseSync): number {
  const { all, free } = pagesOf(db);
  const second = free < all * FREE ? secondSnapshot(db) : undefined;
  return second === undefined ? 0 : deleteBefore(db, second.seq);
}

/**
 * Gives pages to the file system that are free, if they are many: the next rows would take them too. Does nothing to a file of a version that
 * did not set auto_vacuum, whose free pages are used again all the same.
 */
export function giveBack(db: DatabaseSync, limits: LogLimits): void {
  const { all, free, size } = pagesOf(db);
  const isLarge = all * size > sharesOf(limits).database * (9 / 8);
  if (free > all / 4 || (free > 0 && isLarge)) db.exec(`PRAGMA incremental_vacuum(${VACUUM_PAGES})`);
}

interface Snapshot {
  readonly seq: number;
  readonly time: string;
}

/** Where the log could begin instead. */
function secondSnapshot(db: DatabaseSync): Snapshot | undefined {
  return prepared(
    db,
    `SELECT seq, time FROM event WHERE type = 'state.snapshot' AND seq > (SELECT min(seq) FROM event) ORDER BY seq LIMIT 1`,
  ).get() as Snapshot | undefined;
}

function isBeyond(db: DatabaseSync, { seq, time }: Snapshot, limits: LogLimits, now: Date): boolean {
  const { last } = prepared(db, "SELECT max(seq) AS last FROM event").get() as { last: number };
  if (last - seq >= limits.keepEvents) return true;
  // All before it is older still: where the clock was put back, it is what rows say that counts.
  if (now.getTime() - Date.parse(time) > limits.maxAgeDays * DAY_MS) return true;
  const { all, free, size } = pagesOf(db);
  return (all - free) * size > sharesOf(limits).database;
}

function deleteBefore(db: DatabaseSync, seq: number): number {
  return Number(prepared(db, "DELETE FROM event WHERE seq < ?").run(seq).changes);
}

function pagesOf(db: DatabaseSync): Pages {
  const pragma = (name: string) => Object.values(prepared(db, `PRAGMA ${name}`).get() ?? {})[0] as number;
  return { size: pragma("page_size"), all: pragma("page_count"), free: pragma("freelist_count") };
}
