/** How much of its past the log keeps: the oldest rows go as soon as one of these is reached. */
export interface LogLimits {
  /** As many rows stay, as far as the other limits allow. */
  readonly keepEvents: number;
  /** Rows older than this go, in days; `Infinity`: none does. */
  readonly maxAgeDays: number;
  /** What the log takes on the disk at most, with all that belongs to it but damaged files, in bytes; `Infinity`: no limit. */
  readonly maxBytes: number;
}

export const DAY_MS = 86_400_000;

const KIB = 1024;
/** SQLite's own, 1000 pages of 4 KiB (sqlite.org/wal.html, "Avoiding Excessively Large WAL Files"). */
const LARGEST_WAL = 4000 * KIB;

/** How {@link LogLimits.maxBytes} are divided, in bytes. */
export interface Shares {
  /** The database. What is left beside these shares is for what is written between two looks at the size. */
  readonly database: number;
  /** The write-ahead log, when it is moved into the database. A single transaction may be larger. */
  readonly wal: number;
  /** What is kept to be given up on a full disk: deleting rows takes room in the write-ahead log, and moving that one takes as much again. */
  readonly reserve: number;
  /** Rows between two snapshots. Their indexes are about as large again, and pruning goes from snapshot to snapshot. */
  readonly stretch: number;
}

export function sharesOf({ maxBytes }: LogLimits): Shares {
  const sixteenth = Math.min(LARGEST_WAL, Math.max(64 * KIB, Math.floor(maxBytes / 16)));
  return { database: maxBytes * (3 / 4), wal: sixteenth, reserve: sixteenth, stretch: maxBytes / 32 };
}
