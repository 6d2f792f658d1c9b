import { existsSync } from "node:fs";
import { setImmediate } from "node:timers/promises";
import type { EventRecord, LogFilter } from "@millrace/core/internal";
import { AgentError } from "../errors.ts";
import { EventFilter, type EventQuery } from "./event-filter.ts";
import { followFile, openLog, openNext } from "./follow-file.ts";

export interface ReadOptions {
  readonly query: EventQuery;
  /** Only the newest so many of what is there already. */
  readonly limit?: number;
  /** Goes on with what is written from then on, until this is aborted. */
  readonly follow?: AbortSignal;
}

/** So many events are decoded in a few milliseconds. */
const TURN_EVENTS = 256;

/** What SQL can do by itself, which spares decoding the rest: all but pods, whose names are learnt by reading everything. */
function pushedDown({ since, types, subject, pod }: EventQuery, limit: number | undefined): LogFilter {
  if (subject !== undefined || pod !== undefined) return {};
  return { ...(since !== undefined && { since: since + 1 }), ...(types !== undefined && { types }), last: limit };
}

/**
 * Reads the wanted events of a log in order, whether or not an agent is writing it. Following goes on in the file that takes its place
 * when an agent moves a damaged log aside, or a new one begins after a purge.
 * Throws `ERR_NO_EVENT_LOG`, and core's `ERR_LOG_UNREADABLE`, `ERR_LOG_NEWER_SCHEMA`.
 */
export async function* readEvents(path: string, options: ReadOptions): AsyncGenerator<EventRecord> {
  const { query, limit, follow } = options;
  if (!existsSync(path)) throw new AgentError("ERR_NO_EVENT_LOG", `there is no event log at ${path}`);
  const filter = new EventFilter(query);
  let next = 1;
  {
    using opened = openLog(path);
    const { reader, inode } = opened;
    next = reader.lastSeq() + 1;
    const newest: EventRecord[] = [];
    let read = 0;
    for (const event of reader.read(pushedDown(query, limit))) {
      if (follow !== undefined && ++read % TURN_EVENTS === 0) await setImmediate(); // signals are heard between turns only
      if (follow?.aborted) return;
      next = Math.max(next, event.seq + 1);
      if (!filter.matches(event)) continue;
      if (limit === undefined) {
        yield event;
      } else {
        newest.push(event);
        if (newest.length > limit) newest.shift();
      }
    }
    yield* newest;
    if (follow === undefined) return;
    for await (const event of followFile(path, { reader, inode }, next, follow)) if (filter.matches(event)) yield event;
  }
  while (!follow.aborted) {
    using opened = await openNext(path, follow);
    if (opened === undefined) return;
    for await (const event of followFile(path, opened, 1, follow)) if (filter.matches(event)) yield event;
  }
}
