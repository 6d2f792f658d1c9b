import type { EventRecord } from "../events/event.ts";
import type { StateSnapshot } from "../events/snapshot-event.ts";

type Intent = EventRecord<"redirection.requested">;
type Outcome = EventRecord<"redirection.applied" | "redirection.removed" | "redirection.failed">;

/**
 * How rows of a recorded run are numbered in the run that today's code makes of it. Both are numbered alike until the first turn that went
 * otherwise. From then on outcomes, which name their intent by its `seq`, are led to the intent that today's code decided in its place.
 */
export class Numbering {
  /** Today's `seq` of an input less the recorded one. */
  #offset = 0;
  /** The same, where the state was last taken from the log. */
  #base = 0;
  #parted = false;
  /** From an intent's recorded `seq` to today's, or to undefined where nothing was decided in its place; since they parted. */
  readonly #intents = new Map<number, number | undefined>();

  /** Something has gone otherwise since the state was last taken from the log. */
  get parted(): boolean {
    return this.#parted;
  }

  part(): void {
    this.#parted = true;
  }

  /** The state is taken from the log: what parted before does not matter any more. */
  resume(): void {
    this.#parted = false;
    this.#base = this.#offset;
    this.#intents.clear();
  }

  /** What was decided in a turn, then and now; `first` is the `seq` of the first of today's intents. */
  decided(recorded: readonly Intent[], today: readonly Intent[], first: number): void {
    if (!this.#parted) return;
    for (const { seq, subject, data } of recorded) {
      const index = today.findIndex((intent) => intent.subject === subject && intent.data.action === data.action);
      this.#intents.set(seq, index < 0 ? undefined : first + index);
    }
    this.#offset += today.length - recorded.length;
  }

  /** The input in today's run; undefined for the outcome of an intent that was not decided today. */
  today(input: EventRecord): EventRecord | undefined {
    if (!isOutcome(input)) return input;
    const { generation } = input.data;
    if (!this.#intents.has(generation))
      return this.#base === 0 ? input : withGeneration(input, generation + this.#base);
    const intent = this.#intents.get(generation);
    this.#intents.delete(generation);
    if (intent !== undefined) return withGeneration(input, intent);
    this.#offset--;
    return undefined;
  }

  /** A row of a stretch in which nothing is decided: all its numbers are moved alike. */
  moved(record: EventRecord): EventRecord {
    if (this.#offset === 0) return record;
    const by = (seq: number) => seq + this.#offset;
    const row = { ...record, seq: by(record.seq) } as EventRecord;
    if (isOutcome(row)) return withGeneration(row, by(row.data.generation));
    if (row.type === "redirection.requested") return { ...row, data: { ...row.data, cause: by(row.data.cause) } };
    return row.type === "state.snapshot" ? { ...row, data: movedSnapshot(row.data, by) } : row;
  }
}

function isOutcome(record: EventRecord): record is Outcome {
  return (
    record.type === "redirection.applied" ||
    record.type === "redirection.removed" ||
    record.type === "redirection.failed"
  );
}

function withGeneration(outcome: Outcome, generation: number): EventRecord {
  return { ...outcome, data: { ...outcome.data, generation } } as EventRecord;
}

function movedSnapshot(snapshot: StateSnapshot, by: (seq: number) => number): StateSnapshot {
  return {
    ...snapshot,
    interfaces: snapshot.interfaces.map((found) => ({ ...found, seq: by(found.seq) })),
    requested: snapshot.requested.map((intent) => ({ ...intent, seq: by(intent.seq) })),
    outcomes: snapshot.outcomes.map((outcome) => ({ ...outcome, generation: by(outcome.generation) })),
  };
}
