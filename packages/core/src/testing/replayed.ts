import type { EventRecord } from "../events/event.ts";
import { rowOf } from "../log/recorded-row.ts";
import { replay } from "../replay/replay.ts";
import { type ReplayResult, Tally } from "../replay/tally.ts";
import { initialState, type State } from "../state/state.ts";

/** A whole log, replayed: what it came to, and the state in the end. */
export function replayed(records: Iterable<EventRecord>): ReplayResult & { readonly state: State } {
  const tally = new Tally();
  let state = initialState;
  for (const turn of replay([...records].map(rowOf))) {
    tally.add(turn);
    state = turn.after;
  }
  return { ...tally.result, state };
}
