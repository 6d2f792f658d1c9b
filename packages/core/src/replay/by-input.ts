import type { RecordedRow } from "../log/recorded-row.ts";

/** An input with the intents that were recorded directly behind it. */
export interface InputWithIntents {
  readonly input: RecordedRow;
  readonly intents: readonly RecordedRow[];
}

/** A log that begins with an intent has that for an input: one that nothing has caused. */
export function* byInput(rows: Iterable<RecordedRow>): Generator<InputWithIntents> {
  let input: RecordedRow | undefined;
  let intents: RecordedRow[] = [];
  for (const row of rows) {
    if (row.record.type === "redirection.requested" && input !== undefined) {
      intents.push(row);
    } else {
      if (input !== undefined) yield { input, intents };
      input = row;
      intents = [];
    }
  }
  if (input !== undefined) yield { input, intents };
}
