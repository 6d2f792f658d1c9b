import { type FSWatcher, watch } from "node:fs";
import { stat } from "node:fs/promises";
import { errorMessage } from "@millrace/core/internal";
import type { WatcherLog } from "./log.ts";

/**
 * inotify on a directory that may be replaced, or not be there at all. An inotify watch belongs to the inode, so a new directory
 * under the old name needs a new one: {@link rearm} is called on every look. Notifications are hints only, so failing to get them
 * (`fs.inotify.max_user_watches`) is no error: the periodic look goes on.
 */
export class DirectoryWatch implements Disposable {
  readonly #directory: string;
  readonly #onChange: () => void;
  readonly #log: WatcherLog;
  #watcher: FSWatcher | undefined;
  #inode: bigint | undefined;

  constructor(directory: string, log: WatcherLog, onChange: () => void) {
    this.#directory = directory;
    this.#log = log;
    this.#onChange = onChange;
  }

  /** Rejects when the directory is not there. */
  async rearm(): Promise<void> {
    const { ino } = await stat(this.#directory, { bigint: true });
    if (this.#watcher !== undefined && ino === this.#inode) return;
    this[Symbol.dispose]();
    try {
      this.#watcher = watch(this.#directory, { persistent: false }, this.#onChange);
      this.#watcher.on("error", (error) => this.#failed(error));
      this.#inode = ino;
    } catch (error) {
      this.#failed(error);
    }
  }

  [Symbol.dispose](): void {
    this.#watcher?.close();
    this.#watcher = undefined;
    this.#inode = undefined;
  }

  #failed(error: unknown): void {
    this[Symbol.dispose]();
    const fields = { directory: this.#directory, error: errorMessage(error) };
    this.#log.warn(fields, "cannot be notified of changes in a directory; it is read periodically");
  }
}
