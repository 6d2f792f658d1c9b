import { existsSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import { CoreError, errorMessage } from "../errors.ts";
import type { EventRecord } from "../events/event.ts";
import { LOG_SCHEMA_VERSION } from "../events/upgrade.ts";
import { newerSchema, schemaVersion } from "./database.ts";
import { type Columns, type RecordedRow, rowOfColumns } from "./recorded-row.ts";

export interface LogFilter {
  /** Only rows with this `seq` or a later one. */
  readonly since?: number | undefined;
  readonly types?: readonly string[] | undefined;
  /** Exact subjects. */
  readonly subjects?: readonly string[] | undefined;
  /** At most this many rows, the first that fit. */
  readonly limit?: number | undefined;
  /** At most this many rows, the last that fit; still in order of `seq`. */
  readonly last?: number | undefined;
}

/** Reads a log, also one that an agent is writing: the connection is read-only and never in the writer's way (WAL). */
export class EventLogReader implements Disposable {
  readonly #db: DatabaseSync;
  readonly #path: string;
  readonly #version: number;

  private constructor(db: DatabaseSync, path: string, version: number) {
    this.#db = db;
    this.#path = path;
    this.#version = version;
  }

  /** Throws ERR_LOG_UNREADABLE, ERR_LOG_NEWER_SCHEMA. */
  static open(path: string): EventLogReader {
    if (!existsSync(path)) {
      throw new CoreError("ERR_LOG_UNREADABLE", `${path} does not exist. Has an agent run here? See eventLog.path.`);
    }
    let db: DatabaseSync | undefined;
    try {
      db = new DatabaseSync(path, { readOnly: true, timeout: 1000 });
      const version = schemaVersion(db);
      if (version > LOG_SCHEMA_VERSION) throw new CoreError("ERR_LOG_NEWER_SCHEMA", newerSchema(path, version));
      if (version === 0) throw new Error("it is no event log");
      return new EventLogReader(db, path, version);
    } catch (cause) {
      db?.close();
      if (cause instanceof CoreError) throw cause;
      throw unreadable(path, cause);
    }
  }

  lastSeq(): number {
    return this.#get<{ seq: number }>("SELECT coalesce(max(seq), 0) AS seq FROM event").seq;
  }

  /** From here on only what is in the file now is read, whatever is written or deleted meanwhile. */
  freeze(): void {
    this.#db.exec("BEGIN");
    this.lastSeq(); // a transaction begins with its first read (sqlite.org/lang_transaction.html)
  }

  /** Time of the last row; undefined when there is none. */
  lastTime(): string | undefined {
    return this.#get<{ time: string } | undefined>("SELECT time FROM event ORDER BY seq DESC LIMIT 1")?.time;
  }

  /** `seq` of the first row at this time (as rows have it) or later; undefined when there is none. Looks at every row. */
  firstSince(time: string): number | undefined {
    const sql = "SELECT min(seq) AS seq FROM event WHERE time >= ?";
    return this.#get<{ seq: number | null }>(sql, time).seq ?? undefined;
  }

  /** `seq` of the last `state.snapshot`, where restoring begins, not after `before`; undefined when there is none. */
  lastSnapshot(before = Number.MAX_SAFE_INTEGER): number | undefined {
    const sql = "SELECT max(seq) AS seq FROM event WHERE type = 'state.snapshot' AND seq <= ?";
    return this.#get<{ seq: number | null }>(sql, before).seq ?? undefined;
  }

  /** As {@link rows}, without the bytes. */
  *read(filter: LogFilter = {}): Iterable<EventRecord> {
    for (const { record } of this.rows(filter)) yield record;
  }

  /**
   * Rows in order of `seq`, upgraded to the present schema and validated one by one as they are taken.
   * Throws ERR_LOG_UNREADABLE, ERR_EVENT_INVALID, ERR_LOG_NEWER_SCHEMA.
   */
  *rows(filter: LogFilter = {}): Iterable<RecordedRow> {
    const { sql, parameters } = query(filter, this.#version);
    try {
      for (const row of this.#db.prepare(sql).iterate(...parameters)) yield rowOfColumns(row as unknown as Columns);
    } catch (cause) {
      if (cause instanceof CoreError) throw cause;
      throw unreadable(this.#path, cause);
    }
  }

  /** Rows that are there, then rows as they come, until the signal is aborted. `pollMs`: time between two looks, default 200. */
  async *follow(
    filter: LogFilter,
    options: { readonly signal: AbortSignal; readonly pollMs?: number },
  ): AsyncIterable<EventRecord> {
    let { since, limit, last } = filter;
    let left = limit ?? Number.POSITIVE_INFINITY;
    while (left > 0 && !options.signal.aborted) {
      for (const found of this.read({ ...filter, since, last, limit: Number.isFinite(left) ? left : undefined })) {
        yield found;
        since = found.seq + 1;
        left--;
      }
      last = undefined;
      try {
        await sleep(options.pollMs ?? 200, undefined, { signal: options.signal });
      } catch {
        return; // aborted: following ends
      }
    }
  }

  [Symbol.dispose](): void {
    this.#db.close();
  }

  #get<T>(sql: string, ...parameters: (string | number)[]): T {
    try {
      return this.#db.prepare(sql).get(...parameters) as T;
    } catch (cause) {
      throw unreadable(this.#path, cause);
    }
  }
}

function query(
  { since, types, subjects, limit, last }: LogFilter,
  version: number,
): { sql: string; parameters: (string | number)[] } {
  const conditions: string[] = [];
  const parameters: (string | number)[] = [];
  if (since !== undefined) {
    conditions.push("seq >= ?");
    parameters.push(since);
  }
  for (const [column, values] of [["type", types] as const, ["subject", subjects] as const]) {
    if (values === undefined) continue;
    conditions.push(`${column} IN (${values.map(() => "?").join(", ")})`);
    parameters.push(...values);
  }
  const where = conditions.length === 0 ? "" : ` WHERE ${conditions.join(" AND ")}`;
  // The table of version 1 had no such column: all its rows are of that version.
  const schema = version === 1 ? "1 AS schema" : "schema";
  const rows = `SELECT seq, time, type, subject, data, ${schema} FROM event${where} ORDER BY seq`;
  if (last !== undefined) {
    return { sql: `SELECT * FROM (${rows} DESC LIMIT ?) ORDER BY seq`, parameters: [...parameters, last] };
  }
  return limit === undefined
    ? { sql: rows, parameters }
    : { sql: `${rows} LIMIT ?`, parameters: [...parameters, limit] };
}

function unreadable(path: string, cause: unknown): CoreError {
  return new CoreError("ERR_LOG_UNREADABLE", `${path} cannot be read: ${errorMessage(cause)}`, { cause });
}
