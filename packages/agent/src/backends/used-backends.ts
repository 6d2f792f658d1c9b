import { mkdirSync, readdirSync, readFileSync, rmdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { errorCode } from "@millrace/core";
import { writeFileAtomically } from "../daemon/ambient-config.ts";

const MODE = 0o600;

/** See random(4): tells one boot from the next, and nothing a backend puts into the kernel outlives a boot. */
function currentBootId(): string {
  return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
}

/**
 * Which backends have a redirection in this kernel: one small file each in the journal, written before a workload is redirected and
 * removed after the uninstall. An agent that serves by another backend than the one before it knows by this what it has to take away.
 */
export class UsedBackends {
  readonly #directory: string;
  readonly #bootId: string;

  constructor(journal: string, bootId = currentBootId()) {
    this.#directory = join(journal, "backends");
    this.#bootId = bootId;
  }

  /** Names, sorted. What an earlier boot of the machine noted is not among them. */
  names(): string[] {
    const files = this.#files().filter((name) => !name.startsWith(".")); // as one is called while it is written
    return files.filter((name) => readFileSync(join(this.#directory, name), "utf8").trim() === this.#bootId);
  }

  async note(name: string): Promise<void> {
    if (this.names().includes(name)) return;
    mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
    await writeFileAtomically(join(this.#directory, name), `${this.#bootId}\n`, MODE);
  }

  /** Also removes what earlier boots noted or a crash left half written, and the directories once they are empty. */
  forget(name: string): void {
    const current = this.names();
    for (const file of this.#files()) {
      if (file === name || !current.includes(file)) rmSync(join(this.#directory, file), { force: true });
    }
    for (const directory of [this.#directory, dirname(this.#directory)]) removeIfEmpty(directory);
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

function removeIfEmpty(directory: string): void {
  try {
    rmdirSync(directory);
  } catch (error) {
    if (!["ENOENT", "ENOTEMPTY", "EEXIST"].includes(errorCode(error))) throw error;
  }
}
