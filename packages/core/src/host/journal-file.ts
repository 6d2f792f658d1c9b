import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { errorCode } from "../errors.ts";

/** Replaces a small file in one step that survives a power cut: written aside, synced, renamed, and the directory synced. */
export function writeDurably(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const fresh = join(dirname(path), `.${basename(path)}.new`);
  const fd = openSync(fresh, "w", 0o600);
  try {
    writeSync(fd, text);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(fresh, path);
  syncDirectory(dirname(path));
}

export function removeDurably(path: string): void {
  rmSync(path, { force: true });
  syncDirectory(dirname(path));
}

/** Journal files of a directory with their text; none when it is not there. Files that a crash left half written are not among them. */
export function readAll(directory: string): { path: string; text: string }[] {
  return names(directory)
    .filter((name) => name.endsWith(".json") && !name.startsWith("."))
    .flatMap((name) => textOf(join(directory, name)));
}

/** None: another process has removed it since the directory was read. */
function textOf(path: string): { path: string; text: string }[] {
  try {
    return [{ path, text: readFileSync(path, "utf8") }];
  } catch (error) {
    if (errorCode(error) === "ENOENT") return [];
    throw error;
  }
}

/** Removes what a crash left half written in a directory. Nobody may be writing there. */
export function removeUnfinished(directory: string): void {
  for (const name of names(directory).filter((each) => each.startsWith(".") && each.endsWith(".new"))) {
    removeDurably(join(directory, name));
  }
}

function names(directory: string): string[] {
  try {
    return readdirSync(directory).sort();
  } catch (error) {
    if (errorCode(error) === "ENOENT") return [];
    throw error;
  }
}

function syncDirectory(directory: string): void {
  const fd = openSync(directory, "r");
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
