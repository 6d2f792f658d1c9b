import type { RecordedRow } from "../log/recorded-row.ts";
import { replay } from "./replay.ts";
import { type ReplayResult, Tally } from "./tally.ts";

/** Replays up to the first difference, byte for byte. `last` is the `seq` with which the log should end, if that is known. */
export function verify(rows: Iterable<RecordedRow>, last?: number): ReplayResult {
  const tally = new Tally();
  for (const turn of replay(rows)) {
    tally.add(turn);
    if (turn.difference !== undefined) return tally.result;
  }
  tally.end(last);
  return tally.result;
}
