import { open } from "node:fs/promises";

/** Longest that a committed row is in the kernel's memory only, apart from the writing itself, in milliseconds. */
const SYNC_WITHIN_MS = 100;

/**
 * Brings what was committed to the disk, without anybody waiting for it. A commit is safe from the death of the agent as soon as the
 * kernel has it; that it is safe from a power cut too comes at most {@link SYNC_WITHIN_MS} later, for all commits of that time at once.
 * SQLite writes commits to the write-ahead log alone, and syncs what it moves from there into the database itself.
 */
export class DiskSync implements AsyncDisposable {
  readonly #wal: string;
  /** There were commits that no sync which has begun need have seen. */
  #due = false;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;

  /** `path` is that of the database. */
  constructor(path: string) {
    this.#wal = `${path}-wal`;
  }

  /** There was a commit. */
  committed(): void {
    this.#due = true;
    this.#arm();
  }

  /** Resolves when what has not been synced yet is, and the file is not open any more. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#running;
    clearTimeout(this.#timer);
    if (this.#due) await this.#sync();
  }

  /** One at a time: a disk that stalls gets no queue of syncs. */
  #arm(): void {
    if (!this.#due || this.#running !== undefined) return;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#running = this.#sync().finally(() => {
        this.#running = undefined;
        this.#arm();
      });
    }, SYNC_WITHIN_MS);
  }

  async #sync(): Promise<void> {
    this.#due = false;
    try {
      const file = await open(this.#wal, "r");
      try {
        await file.datasync();
      } finally {
        await file.close();
      }
    } catch (error) {
      warn(error);
    }
  }
}

/** Without the file there is nothing to do: SQLite removes it when all of it is in the database. */
function warn(error: unknown): void {
  if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
  process.emitWarning(`event log: what was written may not survive a power cut: ${String(error)}`);
}
