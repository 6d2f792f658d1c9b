import { CoreError, errorMessage } from "../errors.ts";
import { canonicalJson } from "../events/canonical-json.ts";
import type { EventRecord } from "../events/event.ts";
import { parseRecord } from "../events/parse.ts";
import { LOG_SCHEMA_VERSION, upgradeData } from "../events/upgrade.ts";

/** A row of a log: what it says, and the bytes that say so. */
export interface RecordedRow {
  readonly record: EventRecord;
  /**
   * The row as one line of portable JSONL of the present schema, which is what is compared: its data as recorded, byte for byte. Of a row of
   * an older schema: canonical JSON of what the upgrade made of it, before anything is validated or normalised.
   */
  readonly line: string;
  /** The schema version that it was written in. */
  readonly schema: number;
  /** The row as one line, byte for byte as recorded, and with its schema version if that is an older one. */
  readonly recorded: string;
}

/** The columns of the table `event`. */
export interface Columns {
  readonly seq: number;
  readonly time: string;
  readonly type: string;
  readonly subject: string;
  readonly data: string;
  readonly schema: number;
}

/** Throws ERR_EVENT_INVALID with the row's place, ERR_LOG_NEWER_SCHEMA. */
export function rowOfColumns({ data: text, schema, ...columns }: Columns): RecordedRow {
  return decoded(`event ${columns.seq}`, () => {
    const value: unknown = JSON.parse(text);
    if (schema === LOG_SCHEMA_VERSION) {
      const line = lineOf(columns, text);
      return { record: parseRecord({ ...columns, data: value }), line, schema, recorded: line };
    }
    return upgraded(columns, value, schema, lineOf(columns, text, schema));
  });
}

/** A line of a portable log whose header has this schema version. Throws ERR_EVENT_INVALID with `where`, ERR_LOG_NEWER_SCHEMA. */
export function rowOfLine(line: string, headerSchema: number, where: string): RecordedRow {
  return decoded(where, () => {
    const { schema = headerSchema, data, ...columns } = JSON.parse(line) as Columns;
    if (schema === LOG_SCHEMA_VERSION) {
      return { record: parseRecord({ ...columns, data }), line, schema, recorded: line };
    }
    return upgraded(columns, data, schema, line);
  });
}

/** A row of our own making. */
export function rowOf(record: EventRecord): RecordedRow {
  const line = lineOf(record, canonicalJson(record.data));
  return { record, line, schema: LOG_SCHEMA_VERSION, recorded: line };
}

type Envelope = Omit<Columns, "data" | "schema">;

/** Canonical JSON of a row (keys sorted), with its data as the text that is given. `schema`: of an older row. */
export function lineOf({ seq, subject, time, type }: Envelope, data: string, schema?: number): string {
  const version = schema === undefined ? "" : `"schema":${schema},`;
  return `{"data":${data},${version}"seq":${seq},"subject":${JSON.stringify(subject)},"time":${JSON.stringify(time)},"type":"${type}"}`;
}

function upgraded(columns: Envelope, older: unknown, schema: number, recorded: string): RecordedRow {
  const data = upgradeData(columns.type, older, schema);
  const row = { ...columns, data };
  return { record: parseRecord(row), line: canonicalJson(row), schema, recorded };
}

function decoded<T>(where: string, decode: () => T): T {
  try {
    return decode();
  } catch (cause) {
    if (cause instanceof CoreError && cause.code === "ERR_LOG_NEWER_SCHEMA") throw cause;
    throw new CoreError("ERR_EVENT_INVALID", `${where}: ${errorMessage(cause)}`, { cause });
  }
}
