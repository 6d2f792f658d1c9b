import { join } from "node:path";
import { errorCode } from "@millrace/core/internal";
import { InstallError } from "./errors.ts";
import { readFileIfThere } from "./files/config-directory.ts";
import { type Before, digest, type JournalEntry } from "./files/journal.ts";
import { removeFile, replaceFile } from "./files/replace-file.ts";
import { hasEntry, listOfOne, withoutEntry } from "./network/edit-list.ts";
import { pluginsOf } from "./network/parse.ts";
import { toBytes, toText } from "./network/text.ts";
import { OWN_NAME } from "./primary.ts";
import { CILIUM_SUFFIX } from "./warnings.ts";

/** Index of what was written last among all that an entry knows. */
const LAST = 0;

/** So often somebody may get in between; who writes more often than that writes for ever. */
const ATTEMPTS = 20;

/**
 * Puts one file back as it was, or as its owner has written it since without our entry. What was renamed by Cilium is put back under
 * that name, also where it has been written again since: then there are two of it. Doing it again does nothing.
 *
 * Returns what was done, one phrase; undefined when there was nothing to do. Throws `ERR_CONFIG_LEFT` for what cannot be told to be
 * ours any more, `ERR_CONFIG_CHANGING`, and as the file system does.
 */
export function undo(entry: JournalEntry): string | undefined {
  const suffixes = entry.kind === "plugin" ? [""] : ["", CILIUM_SUFFIX];
  const done = suffixes.flatMap((suffix) => attempted(() => undoOnce(entry, suffix)) ?? []);
  return done.length === 0 ? undefined : done.join(", ");
}

/**
 * Takes our entry out of a list that no journal knows of, whoever has written it. A list of our own goes as a whole: without our entry it
 * would be an old copy of the primary's that sorts before it. Returns what was done; undefined when there was nothing to do.
 */
export function takeOut(directory: string, name: string): string | undefined {
  const isOwn = name === OWN_NAME || name === OWN_NAME + CILIUM_SUFFIX;
  return attempted(() => (isOwn ? removeOwn(directory, name) : takeOutOnce(directory, name)));
}

function removeOwn(directory: string, name: string): string | undefined {
  const file = readFileIfThere(directory, name);
  if (file === undefined || !hasEntry(file.text)) return undefined;
  const path = join(directory, name);
  removeFile(path, toBytes(file.text));
  return `list ${path}`;
}

function attempted<T>(action: () => T): T {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return action();
    } catch (error) {
      if (errorCode(error) !== "ERR_CONFIG_CHANGING" || attempt === ATTEMPTS) throw error;
    }
  }
}

function undoOnce(entry: JournalEntry, suffix: string): string | undefined {
  switch (entry.kind) {
    case "edited":
      return undoEdit(entry, suffix);
    case "converted":
      return undoConversion(entry, suffix);
    case "own":
    case "plugin":
      return undoOwn(entry, suffix);
  }
}

/** What is there under the journaled name now, and whether it is what was written last, or before that. */
function present({ directory, name, written }: JournalEntry, suffix: string) {
  const file = readFileIfThere(directory, name + suffix);
  if (file === undefined) return undefined;
  const bytes = toBytes(file.text);
  return { ...file, bytes, path: join(directory, file.name), asWritten: written.indexOf(digest(bytes)) };
}

function undoEdit(entry: JournalEntry, suffix: string): string | undefined {
  const file = present(entry, suffix);
  if (file === undefined) return undefined;
  if (file.asWritten !== LAST || entry.before === null) return takeOutOnce(entry.directory, file.name);
  replaceFile(file.path, { ...file, bytes: bytesOf(entry.before), expected: file.bytes });
  return `entry in ${file.path}`;
}

function takeOutOnce(directory: string, name: string): string | undefined {
  const file = readFileIfThere(directory, name);
  if (file === undefined || !hasEntry(file.text)) return undefined;
  const path = join(directory, name);
  replaceFile(path, { ...file, bytes: toBytes(withoutEntry(file.text)), expected: toBytes(file.text) });
  return `entry in ${path}`;
}

/** The single plugin's file comes back, unless its owner has written it again, or somebody else's entries are in the list by now. */
function undoConversion(entry: JournalEntry, suffix: string): string | undefined {
  const { before, directory } = entry;
  const file = present(entry, suffix);
  if (file === undefined || before === null) return undefined;
  const nothingElse = file.asWritten >= LAST || withoutEntry(file.text) === listOfOne(toText(bytesOf(before)));
  if (!nothingElse) {
    const done = takeOutOnce(directory, file.name);
    if (done === undefined && pluginsOf(file.text) === undefined) throw left(file.path, "it is no list any more");
    return done;
  }
  const single = join(directory, before.name + suffix);
  if (readFileIfThere(directory, before.name + suffix) === undefined) {
    replaceFile(single, { ...before, bytes: bytesOf(before), expected: undefined });
  }
  removeFile(file.path, file.bytes);
  return `list ${file.path} in the place of ${single}`;
}

function undoOwn(entry: JournalEntry, suffix: string): string | undefined {
  const file = present(entry, suffix);
  if (file === undefined) return undefined;
  const ours = file.asWritten >= LAST || (entry.kind === "own" && hasEntry(file.text));
  if (!ours) throw left(file.path, "somebody has written something else there since");
  if (entry.before === null) removeFile(file.path, file.bytes);
  else replaceFile(file.path, { ...entry.before, bytes: bytesOf(entry.before), expected: file.bytes });
  return `${entry.kind === "own" ? "list" : "CNI plugin"} ${file.path}`;
}

const bytesOf = ({ bytes }: Before): Buffer => Buffer.from(bytes, "base64");

function left(path: string, why: string): InstallError {
  return new InstallError("ERR_CONFIG_LEFT", `${path}: ${why}; it was left alone, see to it by hand`);
}
