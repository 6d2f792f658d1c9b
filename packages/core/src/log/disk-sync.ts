import { closeSync, fdatasyncSync, openSync } from "node:fs";
import { open } from "node:fs/promises";

/** Longest that a committed row is in the kernel's memory only, apart from the writing itself, in milliseconds. */
const SYNC_WITHIN_MS = 100;

/**
 * Brings what was committed to the disk, without anybody waiting for it. A commit is safe from the death of the agent as soon as the
 * kernel has it; that it is safe from a power cut too comes at most {@link SYNC_WITHIN_MS} later, for all commits of that time at once.
 * SQLite writes commits to the write-ahead log alone, and syncs what it moves from there into the database itself.
 */
export class DiskSync {
  readonly #wal: string;
  #timer: NodeJS.Timeout | undefined;

  /** `path` is that of the database. */
  constructor(path: string) {
    this.#wal = `${path}-wal`;
  }

  /** There was a commit. */
  committed(): void {
    this.#timer ??= setTimeout(() => {
      // Before the sync begins: it need not have seen a commit that comes while it runs.
      this.#timer = undefined;
      this.#sync().catch(warn);
    }, SYNC_WITHIN_MS);
  }

  /** What has not been synced yet is, before this returns. */
  [Symbol.dispose](): void {
    if (this.#timer === undefined) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    try {
      const file = openSync(this.#wal, "r");
      try {
        fdatasyncSync(file);
      } finally {
        closeSync(file);
      }
    } catch (error) {
      warn(error);
    }
  }

  async #sync(): Promise<void> {
    const file = await open(this.#wal, "r");
    try {
      await file.datasync();
    } finally {
      await file.close();
    }
  }
}

/** Without the file there is nothing to do: SQLite removes it when all of it is in the database. */
function warn(error: unknown): void {
  if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
  process.emitWarning(`event log: what was written may not survive a power cut: ${String(error)}`);
}
