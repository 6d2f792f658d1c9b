import { createHash } from "node:crypto";
import { renameSync } from "node:fs";
import { dirname, join } from "node:path";
import { errorMessage, type Logger } from "@millrace/core/internal";
import { readAll, removeDurably, removeEmpty, removeUnfinished, writeDurably } from "@millrace/host";
import { z } from "zod";
import { toBytes } from "../network/text.ts";
import type { ConfigFile } from "./config-directory.ts";

const before = z.strictObject({
  name: z.string(),
  /** base64 */
  bytes: z.string(),
  mode: z.int(),
  uid: z.int(),
  gid: z.int(),
});

const entrySchema = z.strictObject({
  version: z.literal(1),
  /**
   * - `edited`: our entry was put into somebody's list
   * - `converted`: somebody's single plugin (`before.name`) became a list of another name
   * - `own`: a list of our own, beside the primary's
   * - `plugin`: the binary
   */
  kind: z.enum(["edited", "converted", "own", "plugin"]),
  directory: z.string(),
  name: z.string(),
  /** What was there; null: nothing. */
  before: before.nullable(),
  /** SHA-256, hexadecimal: of what was to be written last, and of what stood there by us before, should that not have come to pass. */
  written: z.array(z.string()).min(1).max(2),
});

/** One file of the node that was changed: what stood there, and what was written. */
export type JournalEntry = z.output<typeof entrySchema>;
export type Before = z.output<typeof before>;

export const digest = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

/** A file as the journal keeps it. */
export function asBefore({ name, text, mode, uid, gid }: Omit<ConfigFile, "found" | "isLink">): Before {
  return { name, bytes: toBytes(text).toString("base64"), mode, uid, gid };
}

/** Name of the directory, below the agent's journal, that the entries are in. */
export const JOURNAL_NAME = "cni-install";

/**
 * What an entry has to say of its file when these bytes are about to be written over what is `present`. That is noted too where it is ours:
 * it is what stays should they not be written, however often that fails.
 */
export function writtenOver(
  noted: JournalEntry | undefined,
  present: Uint8Array | undefined,
  bytes: Uint8Array,
): string[] {
  const there = present && digest(present);
  return [digest(bytes), ...(noted?.written.filter((written) => written === there).slice(0, 1) ?? [])];
}

/** What was changed in the CNI directories, noted before it is done: one file each. It outlives a reboot, as those directories do. */
export class InstallJournal {
  readonly #directory: string;
  readonly #log: Logger;

  /** `directory`: the agent's journal (`paths.journal`). */
  constructor(directory: string, log: Logger) {
    this.#directory = join(directory, JOURNAL_NAME);
    this.#log = log;
  }

  /** Every entry, in the order of the names. One that cannot be read is put aside and logged. */
  entries(): JournalEntry[] {
    return readAll(this.#directory).flatMap(({ path, text }) => {
      try {
        return [entrySchema.parse(JSON.parse(text))];
      } catch (error) {
        const aside = `${path.slice(0, -".json".length)}.damaged`;
        renameSync(path, aside);
        const fields = { file: aside, error: errorMessage(error) };
        this.#log.error(fields, "cannot read a journal entry; see by hand that the file it names is as it was");
        return [];
      }
    });
  }

  note(entry: Omit<JournalEntry, "version">): void {
    writeDurably(this.#file(entry), `${JSON.stringify({ version: 1, ...entry })}\n`);
  }

  forget(entry: Pick<JournalEntry, "kind" | "directory" | "name">): void {
    removeDurably(this.#file(entry));
  }

  /** Removes what a crash left half written. */
  sweep(): void {
    removeUnfinished(this.#directory);
  }

  /** Removes the journal's directories once nothing is noted in them. */
  close(): void {
    removeEmpty(this.#directory, dirname(this.#directory));
  }

  #file({ kind, directory, name }: Pick<JournalEntry, "kind" | "directory" | "name">): string {
    const group = kind === "plugin" ? "plugin" : "config";
    return join(this.#directory, `${group}-${encodeURIComponent(join(directory, name))}.json`);
  }
}
