import { canonicalJson } from "../events/canonical-json.ts";
import type { EventInput, EventRecord } from "../events/event.ts";
import { evolve } from "../state/evolve.ts";
import { initialState, type State } from "../state/state.ts";
import { step } from "./step.ts";

/** A place where the log and this version's decisions part. */
export interface Divergence {
  /** `seq` of the input whose intents differ. */
  readonly cause: number;
  /** Recorded and decided intents, each as its row's canonical JSON. */
  readonly recorded: readonly string[];
  readonly decided: readonly string[];
}

export interface Replay {
  readonly state: State;
  readonly inputs: number;
  /** Intents that were decided again, byte for byte. */
  readonly intents: number;
  readonly divergences: readonly Divergence[];
  /** Stretches that cannot be replayed: from the `seq` of a `log.gap` (or of a first row that is not the first) to the next snapshot. */
  readonly skipped: readonly { readonly from: number; readonly to: number | undefined }[];
}

/**
 * Feeds the recorded inputs to `evolve` and `decide` again and compares the intents with the recorded ones. Rows must come in order of
 * `seq`. After a gap comparing goes on at the next `state.snapshot`; after a divergence it goes on with what was recorded.
 */
export function replay(records: Iterable<EventRecord>): Replay {
  const divergences: Divergence[] = [];
  const skipped: { from: number; to: number | undefined }[] = [];
  let state = initialState;
  let inputs = 0;
  let intents = 0;
  let blindSince: number | undefined;
  for (const { input, recorded } of byInput(records)) {
    const missing = input.seq !== state.seq + 1;
    if (blindSince === undefined && (input.type === "log.gap" || missing)) blindSince = input.seq;
    if (blindSince !== undefined && input.type === "state.snapshot") {
      if (blindSince !== input.seq) skipped.push({ from: blindSince, to: input.seq });
      blindSince = undefined;
    }
    const before = { ...state, seq: input.seq - 1 };
    state = [input, ...recorded].reduce<State>(evolve, before);
    if (blindSince !== undefined) continue;
    inputs++;
    const decided = step(
      before,
      { type: input.type, subject: input.subject, data: input.data } as EventInput,
      input.time,
    );
    const rows = { recorded: recorded.map(canonicalJson), decided: decided.intents.map(canonicalJson) };
    if (sameRows(rows.recorded, rows.decided)) intents += rows.decided.length;
    else divergences.push({ cause: input.seq, ...rows });
  }
  if (blindSince !== undefined) skipped.push({ from: blindSince, to: undefined });
  return { state, inputs, intents, divergences, skipped };
}

function sameRows(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((row, index) => row === b[index]);
}

/** Each input with the intents that were recorded directly after it. */
function* byInput(records: Iterable<EventRecord>): Iterable<{ input: EventRecord; recorded: EventRecord[] }> {
  let current: { input: EventRecord; recorded: EventRecord[] } | undefined;
  for (const record of records) {
    if (record.type === "redirection.requested" && current !== undefined) {
      current.recorded.push(record);
    } else {
      if (current !== undefined) yield current;
      current = { input: record, recorded: [] };
    }
  }
  if (current !== undefined) yield current;
}
