import type { EventRecord } from "../events/event.ts";
import type { RecordedRow } from "../log/recorded-row.ts";
import type { State } from "../state/state.ts";

type Intent = EventRecord<"redirection.requested">;

/** A place where what today's code makes of the inputs is not what was recorded. */
export interface Difference {
  /**
   * `intents`: decided otherwise. `snapshot`: the state was another one. `missing`: rows are not there, and no `log.gap` counts them.
   */
  readonly kind: "intents" | "snapshot" | "missing";
  /** The first row that differs, or is missing. */
  readonly seq: number;
  /** The input, or the row, at which it shows; absent at the end of the log. */
  readonly cause?: EventRecord;
  /** Lines of portable JSONL. */
  readonly recorded: readonly string[];
  readonly decided: readonly string[];
}

/** One input of a recorded run, and what became of it then and now. */
export interface Turn {
  readonly input: EventRecord;
  /** The intents that stand behind it in the log. */
  readonly recorded: readonly Intent[];
  /** What today's code decides, with the numbers that it would have in the recorded log; nothing where {@link known} is false. */
  readonly decided: readonly Intent[];
  readonly before: State;
  readonly after: State;
  /** Whether the state is known: not between missing rows and the next snapshot, where nothing can be compared. */
  readonly known: boolean;
  /** The row is a snapshot of an older schema, in which a version wrote what it knew: it is no measure of today's state. */
  readonly older: boolean;
  /** The input is the outcome of an intent that today's code has not decided: it is not fed in. */
  readonly dropped: boolean;
  readonly difference?: Difference;
  /** The rows that today's agent would have written in this turn, numbered as it would have. */
  readonly rows: () => readonly RecordedRow[];
}
