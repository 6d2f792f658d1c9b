import { closeSync, existsSync, openSync, readSync, statSync } from "node:fs";
import { basename } from "node:path";
import { EventLogReader, openPortableLog, type RecordedRow } from "@millrace/core/internal";
import { AgentError } from "../errors.ts";

/** A log to replay: the event log of an agent, or what was exported of one. */
export interface Recording extends Disposable {
  readonly path: string;
  /** Short, for messages. */
  readonly name: string;
  readonly isFile: boolean;
  /** Whether it is a file that an agent writes, and not an export. */
  readonly isDatabase: boolean;
  /** `seq` that the last row should have, where the file says so. */
  readonly last?: number;
  /** Names and addresses in it are not those of the node. */
  readonly redacted: boolean;
  /** Can be taken once. */
  rows(): Iterable<RecordedRow>;
}

/** The first 16 bytes of every SQLite database (sqlite.org/fileformat.html). */
const SQLITE_MAGIC = "SQLite format 3\0";

/** Throws ERR_NO_EVENT_LOG, and core's ERR_LOG_UNREADABLE, ERR_LOG_NEWER_SCHEMA. */
export function openRecording(path: string): Recording {
  if (!existsSync(path)) throw new AgentError("ERR_NO_EVENT_LOG", `there is no event log at ${path}`);
  const name = basename(path);
  // What is read from a pipe cannot be read again.
  const isFile = statSync(path).isFile();
  if (isFile && isDatabase(path)) {
    const reader = EventLogReader.open(path);
    const close = () => reader[Symbol.dispose]();
    return {
      path,
      name,
      isFile,
      isDatabase: true,
      redacted: false,
      rows: () => reader.rows(),
      [Symbol.dispose]: close,
    };
  }
  const { header, rows } = openPortableLog(path);
  const { last, redacted = false } = header ?? {};
  return {
    path,
    name,
    isFile,
    isDatabase: false,
    redacted,
    ...(last !== undefined && { last }),
    rows,
    [Symbol.dispose]: () => {},
  };
}

function isDatabase(path: string): boolean {
  const fd = openSync(path, "r");
  try {
    const head = Buffer.alloc(SQLITE_MAGIC.length);
    readSync(fd, head);
    return head.toString("latin1") === SQLITE_MAGIC;
  } finally {
    closeSync(fd);
  }
}
