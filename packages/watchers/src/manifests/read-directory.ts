import { constants, open, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { errorCode, errorMessage } from "@millrace/core/internal";
import { WatcherError } from "../errors.ts";

/** Largest manifest that is read, in bytes. */
export const MAX_MANIFEST_BYTES = 1024 * 1024;

export interface DirectoryContent {
  /** Text by file name, or why there is none. */
  readonly files: ReadonlyMap<string, string | WatcherError>;
  /** Files that came, went or changed while we looked. */
  readonly unsettled: ReadonlySet<string>;
}

/**
 * Reads every `*.yaml`, `*.yml` and `*.json` file of a directory, through symbolic links, names that begin with a dot aside (the
 * kubelet keeps the versions of a mounted ConfigMap in `..<time>` and `..data`). A file counts once it has not changed for `settleMs`.
 * Rejects when the directory itself cannot be read.
 */
export async function readDirectory(
  directory: string,
  settleMs: number,
  signal: AbortSignal,
): Promise<DirectoryContent> {
  const before = await signatures(directory);
  await sleep(settleMs, undefined, { signal });
  const after = await signatures(directory);
  const files = new Map<string, string | WatcherError>();
  // A file that just went may be on its way back: editors move the old one aside before they write the new one.
  const unsettled = new Set([...before.keys()].filter((name) => !after.has(name)));
  for (const [name, signature] of after) {
    if (before.get(name) !== signature) unsettled.add(name);
    else files.set(name, await readManifest(directory, name));
  }
  return { files, unsettled };
}

async function signatures(directory: string): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const name of (await readdir(directory)).sort()) {
    if (name.startsWith(".") || !/\.(ya?ml|json)$/.test(name)) continue;
    try {
      const { dev, ino, size, mtimeNs, ctimeNs } = await stat(join(directory, name), { bigint: true });
      found.set(name, `${dev}:${ino}:${size}:${mtimeNs}:${ctimeNs}`);
    } catch (error) {
      // Gone since readdir, or a link to nothing: then it is not there.
      if (errorCode(error) !== "ENOENT") throw error;
    }
  }
  return found;
}

async function readManifest(directory: string, name: string): Promise<string | WatcherError> {
  try {
    // Without O_NONBLOCK, opening a FIFO would wait for its writer for ever.
    await using file = await open(join(directory, name), constants.O_RDONLY | constants.O_NONBLOCK);
    const status = await file.stat();
    if (!status.isFile()) return refuse(name, "this is not a regular file; move it elsewhere");
    const { buffer, bytesRead } = await file.read({ buffer: Buffer.allocUnsafe(MAX_MANIFEST_BYTES + 1), position: 0 });
    if (bytesRead > MAX_MANIFEST_BYTES) {
      return refuse(name, `the file is larger than ${MAX_MANIFEST_BYTES} bytes; split it`);
    }
    return new TextDecoder("utf-8", { fatal: true }).decode(buffer.subarray(0, bytesRead));
  } catch (cause) {
    return refuse(name, errorMessage(cause), cause);
  }
}

function refuse(name: string, why: string, cause?: unknown): WatcherError {
  return new WatcherError("ERR_MANIFEST", `${name}: ${why}`, cause === undefined ? {} : { cause });
}
