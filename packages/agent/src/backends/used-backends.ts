import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { errorCode } from "@millrace/core/internal";
import { currentBootId, removeDurably, removeEmpty, writeDurably } from "@millrace/host";

/**
 * Which backends have a redirection in this kernel: one small file each in the journal, written before anything of it is there and
 * removed after the uninstall. An agent that serves by another backend than the one before it knows by this what it has to take away.
 */
export class UsedBackends {
  readonly #directory: string;
  readonly #bootId: string;

  /** Nothing that a backend puts into the kernel outlives a boot, so what another one noted does not count (random(4): boot_id). */
  constructor(journal: string, bootId = currentBootId()) {
    this.#directory = join(journal, "backends");
    this.#bootId = bootId;
  }

  /** Names, sorted. */
  names(): string[] {
    const files = this.#files().filter((name) => !name.startsWith(".")); // as one is called while it is written
    return files.filter((name) => readFileSync(join(this.#directory, name), "utf8").trim() === this.#bootId);
  }

  note(name: string): void {
    if (!this.names().includes(name)) writeDurably(join(this.#directory, name), `${this.#bootId}\n`);
  }

  /**
   * What is opened is noted before: opening makes the first objects, and an agent that dies by then must not leave them to nobody. Where
   * opening failed nothing is there to note, unless it was before.
   */
  async noted<Opened>(name: string, open: () => Promise<Opened>): Promise<Opened> {
    const wasNoted = this.names().includes(name);
    this.note(name);
    try {
      return await open();
    } catch (error) {
      if (!wasNoted) this.forget(name);
      throw error;
    }
  }

  /** Also removes what earlier boots noted or a crash left half written, and the directories once they are empty. */
  forget(name: string): void {
    const current = this.names();
    for (const file of this.#files()) {
      if (file === name || !current.includes(file)) removeDurably(join(this.#directory, file));
    }
    removeEmpty(this.#directory, dirname(this.#directory));
  }

  #files(): string[] {
    try {
      return readdirSync(this.#directory).sort();
    } catch (error) {
      if (errorCode(error) === "ENOENT") return [];
      throw error;
    }
  }
}
