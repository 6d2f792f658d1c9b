import { existsSync } from "node:fs";
import {
  canonicalJson,
  EventLogReader,
  type EventRecord,
  formatHeader,
  LOG_SCHEMA_VERSION,
  type RecordedRow,
  Redactor,
  rowOf,
} from "@millrace/core/internal";
import { AgentError } from "../errors.ts";
import { firstWanted } from "./export-since.ts";

export interface ExportOptions {
  /** As {@link firstWanted} takes it. */
  readonly since?: string;
  /** Replaces names and addresses. */
  readonly redact?: boolean;
}

/**
 * A log as lines of portable JSONL, without line feeds: a header, then an event each. It begins with the last snapshot before what is wanted,
 * so that it can be replayed; what an agent writes meanwhile is not in it.
 * Throws ERR_NO_EVENT_LOG, ERR_EXPORT_SINCE, and what {@link EventLogReader} throws.
 */
export function* exportLog(path: string, { since, redact = false }: ExportOptions): Generator<string> {
  if (!existsSync(path)) throw new AgentError("ERR_NO_EVENT_LOG", `there is no event log at ${path}`);
  using reader = EventLogReader.open(path);
  reader.freeze();
  const wanted = since === undefined ? undefined : firstWanted(reader, since);
  const filter = { since: wanted === undefined ? undefined : reader.lastSnapshot(wanted) };
  const rows = (): Iterable<RecordedRow> => reader.rows(filter);

  const [first] = reader.read({ ...filter, limit: 1 });
  // It may be before what is exported, and is what names the node.
  const [started] = reader.read({ types: ["agent.started"], last: 1 });
  const redactor = redact ? new Redactor(records(started, rows())) : undefined;
  const named = started === undefined ? undefined : (redactor?.redact(started) ?? started);
  yield formatHeader({
    ...(named?.type === "agent.started" && { node: named.data.node }),
    first: first?.seq ?? 0,
    last: reader.lastSeq(),
    redacted: redact,
  });
  for (const row of rows()) yield redactor === undefined ? row.recorded : redactedLine(redactor, row);
}

/** Says the older schema too, although upgraded: it tells what a snapshot may be compared with. */
function redactedLine(redactor: Redactor, { record, schema }: RecordedRow): string {
  const redacted = redactor.redact(record);
  return schema === LOG_SCHEMA_VERSION ? rowOf(redacted).line : canonicalJson({ ...redacted, schema });
}

function* records(started: EventRecord | undefined, rows: Iterable<RecordedRow>): Generator<EventRecord> {
  if (started !== undefined) yield started;
  for (const { record } of rows) yield record;
}
