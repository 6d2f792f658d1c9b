import { LOG_SCHEMA_VERSION } from "../events/upgrade.ts";

/**
 * The version is kept in `PRAGMA user_version`: a file with a higher one is refused, never guessed at. `schema` is the version of the row's
 * data. The partial index finds the last snapshot at once, which is where restoring begins.
 */
export const LOG_SCHEMA = `
CREATE TABLE event (
  seq INTEGER PRIMARY KEY, time TEXT NOT NULL, type TEXT NOT NULL, subject TEXT NOT NULL, data TEXT NOT NULL, schema INTEGER NOT NULL DEFAULT 1
) STRICT;
CREATE INDEX event_subject ON event (subject, seq);
CREATE INDEX event_snapshot ON event (seq) WHERE type = 'state.snapshot';
PRAGMA user_version = ${LOG_SCHEMA_VERSION};
`;

/** What makes a table of version n one of version n + 1, at index n - 1. None of these touches a row. */
export const LOG_MIGRATIONS: readonly string[] = [
  "ALTER TABLE event ADD COLUMN schema INTEGER NOT NULL DEFAULT 1; PRAGMA user_version = 2;",
];

/** SQLite primary result codes (sqlite.org/rescode.html); the extended code's low byte. */
export const SQLITE_CORRUPT = 11;
export const SQLITE_FULL = 13;
export const SQLITE_NOTADB = 26;
/** An extended one: 10 | 19 << 8. */
export const SQLITE_IOERR_SHMSIZE = 4874;

/** A row as it goes to the writer: `data` is canonical JSON. */
export type LogRow = readonly [seq: number, time: string, type: string, subject: string, data: string];
