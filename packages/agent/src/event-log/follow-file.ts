import { statSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { EventLogReader, type EventRecord, errorCode } from "@millrace/core/internal";

const LOOK_MS = 500;
/** An agent that makes a new log has it ready in far less. */
const PATIENCE_MS = 10_000;

/** A log, and which file it is whatever becomes of its name. */
export interface LogFile {
  readonly reader: EventLogReader;
  readonly inode: number | undefined;
}

const inodeOf = (path: string): number | undefined => statSync(path, { throwIfNoEntry: false })?.ino;

/** Throws as `EventLogReader.open`. */
export function openLog(path: string): LogFile & Disposable {
  const inode = inodeOf(path); // first, so that a file put there meanwhile counts as another
  const reader = EventLogReader.open(path);
  return { reader, inode, [Symbol.dispose]: () => reader[Symbol.dispose]() };
}

/** Events from `since` on as they come, until the signal is aborted or another file, or none, is at `path`. */
export async function* followFile(
  path: string,
  { reader, inode }: LogFile,
  since: number,
  signal: AbortSignal,
): AsyncGenerator<EventRecord> {
  const replaced = new AbortController();
  const timer = setInterval(() => {
    if (inodeOf(path) !== inode) replaced.abort();
  }, LOOK_MS);
  try {
    yield* reader.follow({ since }, { signal: AbortSignal.any([signal, replaced.signal]) });
  } finally {
    clearInterval(timer);
  }
}

/**
 * Waits for the file that takes the place of one that is gone; undefined once the signal is aborted.
 * Throws as `EventLogReader.open` when what is there does not become a log.
 */
export async function openNext(path: string, signal: AbortSignal): Promise<(LogFile & Disposable) | undefined> {
  let deadline = Number.POSITIVE_INFINITY;
  while (!signal.aborted) {
    if (inodeOf(path) !== undefined) {
      deadline = Math.min(deadline, performance.now() + PATIENCE_MS);
      try {
        return openLog(path);
      } catch (error) {
        // It is being made, or was moved away again.
        if (errorCode(error) !== "ERR_LOG_UNREADABLE" || performance.now() > deadline) throw error;
      }
    }
    await sleep(LOOK_MS, undefined, { signal }).catch(() => undefined); // aborted: the loop ends
  }
  return undefined;
}
