import { statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { errorCode } from "@millrace/core/internal";
import { listNames } from "./config-directory.ts";

/** So often a directory may change while we wait for it to be quiet; then it is looked at as it is. */
const MOST_LOOKS = 10;

/**
 * Waits until nothing in the directory has changed for `settleMs`: who writes a file in place, or removes one to write another, is
 * half way then, and what is read in between is not what a runtime will use.
 */
export async function settled(directory: string, settleMs: number, signal: AbortSignal): Promise<void> {
  let before = signature(directory);
  for (let looks = 0; looks < MOST_LOOKS; looks += 1) {
    await sleep(settleMs, undefined, { signal });
    const now = signature(directory);
    if (now === before) return;
    before = now;
  }
}

function signature(directory: string): string {
  return (listNames(directory) ?? [])
    .sort()
    .map((name) => `${name}:${fileSignature(join(directory, name))}`)
    .join("\n");
}

function fileSignature(path: string): string {
  try {
    const { ino, size, mtimeNs, ctimeNs } = statSync(path, { bigint: true });
    return `${ino}:${size}:${mtimeNs}:${ctimeNs}`;
  } catch (error) {
    return errorCode(error); // gone since, or a link to nothing
  }
}
