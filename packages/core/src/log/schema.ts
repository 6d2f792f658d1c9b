/** Version of the table below, kept in `PRAGMA user_version`. A file with a higher one is refused, never guessed at. */
export const LOG_SCHEMA_VERSION = 1;

/** The partial index finds the last snapshot at once, which is where restoring begins. */
export const LOG_SCHEMA = `
CREATE TABLE event (seq INTEGER PRIMARY KEY, time TEXT NOT NULL, type TEXT NOT NULL, subject TEXT NOT NULL, data TEXT NOT NULL) STRICT;
CREATE INDEX event_subject ON event (subject, seq);
CREATE INDEX event_snapshot ON event (seq) WHERE type = 'state.snapshot';
PRAGMA user_version = ${LOG_SCHEMA_VERSION};
`;

/** SQLite primary result codes (sqlite.org/rescode.html); the extended code's low byte. */
export const SQLITE_CORRUPT = 11;
export const SQLITE_NOTADB = 26;

/** A row as it goes to the writer: `data` is canonical JSON. */
export type LogRow = readonly [seq: number, time: string, type: string, subject: string, data: string];
