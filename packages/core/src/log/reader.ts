import { existsSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import { CoreError, errorMessage } from "../errors.ts";
import type { EventRecord } from "../events/event.ts";
import { parseRecord } from "../events/parse.ts";
import { newerSchema, schemaVersion } from "./database.ts";
import { LOG_SCHEMA_VERSION } from "./schema.ts";

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

type Row = { seq: number; time: string; type: string; subject: string; data: string };

/** Reads a log, also one that an agent is writing: the connection is read-only and never in the writer's way (WAL). */
export class EventLogReader implements Disposable {
  readonly #db: DatabaseSync;
  readonly #path: string;

  private constructor(db: DatabaseSync, path: string) {
    this.#db = db;
    this.#path = path;
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
      return new EventLogReader(db, path);
    } catch (cause) {
      db?.close();
      if (cause instanceof CoreError) throw cause;
      throw unreadable(path, cause);
    }
  }

  lastSeq(): number {
    return this.#get<{ seq: number }>("SELECT coalesce(max(seq), 0) AS seq FROM event").seq;
  }

  /** `seq` of the last `state.snapshot`, where restoring begins; undefined when there is none. */
  lastSnapshot(): number | undefined {
    return (
      this.#get<{ seq: number | null }>("SELECT max(seq) AS seq FROM event WHERE type = 'state.snapshot'").seq ??
      undefined
    );
  }

  /** Rows in order of `seq`, validated one by one as they are taken. Throws ERR_LOG_UNREADABLE, ERR_EVENT_INVALID. */
  *read(filter: LogFilter = {}): Iterable<EventRecord> {
    const { sql, parameters } = query(filter);
    try {
      for (const row of this.#db.prepare(sql).iterate(...parameters)) yield record(row as Row);
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

  #get<T>(sql: string): T {
    try {
      return this.#db.prepare(sql).get() as T;
    } catch (cause) {
      throw unreadable(this.#path, cause);
    }
  }
}

function query({ since, types, subjects, limit, last }: LogFilter): { sql: string; parameters: (string | number)[] } {
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
  const rows = `SELECT seq, time, type, subject, data FROM event${where} ORDER BY seq`;
  if (last !== undefined) {
    return { sql: `SELECT * FROM (${rows} DESC LIMIT ?) ORDER BY seq`, parameters: [...parameters, last] };
  }
  return limit === undefined
    ? { sql: rows, parameters }
    : { sql: `${rows} LIMIT ?`, parameters: [...parameters, limit] };
}

function record({ seq, time, type, subject, data }: Row): EventRecord {
  let value: unknown;
  try {
    value = JSON.parse(data);
  } catch (cause) {
    throw new CoreError("ERR_EVENT_INVALID", `row ${seq}: data is not JSON`, { cause });
  }
  return parseRecord({ seq, time, type, subject, data: value });
}

function unreadable(path: string, cause: unknown): CoreError {
  return new CoreError("ERR_LOG_UNREADABLE", `${path} cannot be read: ${errorMessage(cause)}`, { cause });
}
