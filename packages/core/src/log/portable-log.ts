import { CoreError, errorMessage } from "../errors.ts";
import { LOG_SCHEMA_VERSION } from "../events/upgrade.ts";
import { linesOf } from "./lines.ts";
import { type PortableHeader, parseHeader } from "./portable-header.ts";
import { type RecordedRow, rowOfLine } from "./recorded-row.ts";

/**
 * A log as one JSONL file: a header, then an event per line. Without a header, as `millrace log --jsonl` prints it, the rows are taken for
 * those of this version.
 */
export interface PortableLog {
  readonly header: PortableHeader | undefined;
  /** In the file's order; can be taken once. Throws ERR_EVENT_INVALID with the line, ERR_LOG_UNREADABLE. */
  rows(): Iterable<RecordedRow>;
}

/** Throws ERR_LOG_UNREADABLE, ERR_LOG_NEWER_SCHEMA. */
export function openPortableLog(path: string): PortableLog {
  const lines = readable(path, linesOf(path));
  const first = lines.next();
  if (first.done === true) throw new CoreError("ERR_LOG_UNREADABLE", `${path} is empty`);
  const header = parseHeader(first.value, path);
  return { header, rows: () => rows(path, header, first.value, lines) };
}

function* rows(
  path: string,
  header: PortableHeader | undefined,
  first: string,
  rest: Iterable<string>,
): Generator<RecordedRow> {
  const schema = header?.schema ?? LOG_SCHEMA_VERSION;
  let number = 1;
  if (header === undefined) yield rowOfLine(first, schema, `${path} line 1`);
  for (const line of rest) yield rowOfLine(line, schema, `${path} line ${++number}`);
}

function* readable(path: string, lines: Iterable<string>): Generator<string> {
  try {
    yield* lines;
  } catch (cause) {
    throw new CoreError("ERR_LOG_UNREADABLE", `${path} cannot be read: ${errorMessage(cause)}`, { cause });
  }
}
