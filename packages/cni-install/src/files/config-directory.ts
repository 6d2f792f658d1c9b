import { closeSync, constants, fstatSync, lstatSync, openSync, readdirSync, readFileSync } from "node:fs";
import { extname, join } from "node:path";
import { errorCode, errorMessage } from "@millrace/core/internal";
import { type Invalid, type Network, readNetwork } from "../network/read-network.ts";
import { type ByteText, toText } from "../network/text.ts";

/** What a file has beside its bytes, and keeps when it is replaced. */
export interface Ownership {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

export interface ConfigFile extends Ownership {
  readonly name: string;
  readonly text: ByteText;
  /** The name is a symbolic link's. */
  readonly isLink: boolean;
  readonly found: Network | Invalid;
}

/** A file that cannot be read at all; a runtime cannot either. */
export interface UnreadableFile {
  readonly name: string;
  readonly found: Invalid;
}

export type Candidate = ConfigFile | UnreadableFile;

/** What containerd, CRI-O and cri-dockerd look at: libcni.ConfFiles(dir, [".conf", ".conflist", ".json"]), then sort.Strings(). */
const EXTENSIONS: ReadonlySet<string> = new Set([".conf", ".conflist", ".json"]);

export const isReadable = (candidate: Candidate): candidate is ConfigFile => "text" in candidate;
export const isValid = (found: Network | Invalid): found is Network => !("invalid" in found);

/** Go sorts by bytes; names may be any. */
const byBytes = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));

/** Every file that a runtime would look at, in the order in which it does. Undefined when there is no such directory. */
export function readConfigDirectory(directory: string): Candidate[] | undefined {
  const names = listNames(directory);
  return names
    ?.filter((name) => EXTENSIONS.has(extname(`x${name}`))) // Go's filepath.Ext() of ".conf" is ".conf", Node's is empty
    .sort(byBytes)
    .flatMap((name) => readCandidate(directory, name) ?? []);
}

/** Names in a directory; undefined when it is not there. */
export function listNames(directory: string): string[] | undefined {
  try {
    return readdirSync(directory);
  } catch (error) {
    if (errorCode(error) === "ENOENT") return undefined;
    throw error;
  }
}

/** Undefined for what is gone by now, and for directories. */
function readCandidate(directory: string, name: string): Candidate | undefined {
  try {
    const file = readFile(directory, name);
    return file && { ...file, found: readNetwork(name, file.text) };
  } catch (error) {
    if (errorCode(error) === "ENOENT" && lstatSync(join(directory, name), { throwIfNoEntry: false }) === undefined) {
      return undefined;
    }
    return { name, found: { invalid: `it cannot be read: ${errorMessage(error)}` } };
  }
}

/** Undefined for a directory. Throws as open(2) and read(2) do, and for what is no regular file. */
export function readFile(directory: string, name: string): Omit<ConfigFile, "found"> | undefined {
  const path = join(directory, name);
  const isLink = lstatSync(path).isSymbolicLink();
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK); // a FIFO must not make us wait
  try {
    const stats = fstatSync(fd);
    if (stats.isDirectory()) return undefined;
    if (!stats.isFile()) throw new Error("it is no regular file");
    const { mode, uid, gid } = stats;
    return { name, text: toText(readFileSync(fd)), mode: mode & 0o7777, uid, gid, isLink };
  } finally {
    closeSync(fd);
  }
}

/** As {@link readFile}, undefined for what is not there either. */
export function readFileIfThere(directory: string, name: string): Omit<ConfigFile, "found"> | undefined {
  try {
    return readFile(directory, name);
  } catch (error) {
    if (errorCode(error) === "ENOENT") return undefined;
    throw error;
  }
}
