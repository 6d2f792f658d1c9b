import { step } from "../decide/step.ts";
import { canonicalJson } from "../events/canonical-json.ts";
import type { EventInput, EventRecord } from "../events/event.ts";
import { LOG_SCHEMA_VERSION } from "../events/upgrade.ts";
import { lineOf, type RecordedRow, rowOf } from "../log/recorded-row.ts";
import { evolve } from "../state/evolve.ts";
import { toSnapshot } from "../state/snapshot.ts";
import { initialState, type State } from "../state/state.ts";
import { byInput, type InputWithIntents } from "./by-input.ts";
import { Numbering } from "./numbering.ts";
import type { Difference, Turn } from "./turn.ts";

type Intent = EventRecord<"redirection.requested">;

/**
 * Feeds the recorded inputs to today's `evolve` and `decide`, one turn after the other, and compares. Recorded intents are compared and never
 * used, so that a difference is told where it arises and not again wherever it is felt. Rows must come in the log's order.
 *
 * Where rows are missing, replay stops; it goes on at the next `state.snapshot`, the only time that it takes a state from the log.
 */
export function* replay(rows: Iterable<RecordedRow>): Generator<Turn> {
  const run = new Run();
  for (const found of byInput(rows)) yield run.turn(found);
}

class Run {
  #state: State = initialState;
  #known = true;
  /** Recorded `seq` of the last row. */
  #last = 0;
  readonly #numbering = new Numbering();

  turn(found: InputWithIntents): Turn {
    const missing = this.#missingBefore(found.input.record);
    this.#last = (found.intents.at(-1) ?? found.input).record.seq;
    const turn = this.#known ? this.#replayed(found) : this.#blind(found);
    this.#state = turn.after;
    return missing === undefined ? turn : { ...turn, difference: missing };
  }

  /** Also takes away what is known, where that rests on rows that are not there. */
  #missingBefore(record: EventRecord): Difference | undefined {
    const expected = this.#last + 1;
    const count = record.seq - expected;
    const gap = record.type === "log.gap" ? record.data : undefined;
    // A gap that counts nothing says that its rows were written late: they are here.
    if (count !== 0 || (gap !== undefined && (gap.count > 0 || gap.unread))) this.#known = false;
    // A log of which old rows were deleted begins with a snapshot.
    const told =
      gap === undefined
        ? count === 0 || (expected === 1 && record.type === "state.snapshot")
        : count >= 0 && count <= gap.count;
    if (told) return undefined;
    return { kind: "missing", seq: Math.min(expected, record.seq), cause: record, recorded: [], decided: [] };
  }

  #blind({ input: { record: input }, intents }: InputWithIntents): Turn {
    if (input.type === "state.snapshot") {
      this.#known = true;
      this.#numbering.resume();
    }
    const recorded = intents.map(({ record }) => record as Intent);
    const rows = [input, ...recorded].map((record) => this.#numbering.moved(record));
    const after = rows.reduce<State>(evolve, this.#state);
    const turn = {
      input,
      recorded,
      decided: [],
      before: this.#state,
      after,
      known: false,
      older: false,
      dropped: false,
    };
    return { ...turn, rows: () => rows.map(rowOf) };
  }

  #replayed(found: InputWithIntents): Turn {
    const { record: input } = found.input;
    const recorded = found.intents.map(({ record }) => record as Intent);
    const before = this.#state;
    const turn = { input, recorded, before, known: true, older: false, dropped: false };
    if (input.type === "redirection.requested") return this.#uncaused(found.input);
    const today = this.#numbering.today(input);
    if (today === undefined) {
      this.#numbering.decided(recorded, [], 0);
      return { ...turn, decided: [], after: before, dropped: true, rows: () => [] };
    }
    if (today.type === "state.snapshot") return { ...turn, decided: [], ...this.#snapshot(found) };

    const { type, subject, data } = today;
    const next = step(before, { type, subject, data } as EventInput, input.time);
    const decided = this.#numbering.parted
      ? next.intents.map((intent, index) => numberedAs(intent, input, index))
      : next.intents;
    const lines = decided.map((intent) => intentLine(intent, next.state));
    const same =
      lines.length === found.intents.length && lines.every((line, index) => line === found.intents[index]?.line);
    const difference = same ? undefined : intentsDiffer(input, found.intents, decided, lines);
    if (!same) this.#numbering.part();
    this.#numbering.decided(recorded, decided, before.seq + 2);
    return {
      ...turn,
      decided,
      after: next.state,
      ...(difference && { difference }),
      rows: () => next.records.map(rowOf),
    };
  }

  /** An intent with no input before it, as only the first row of a log can be. */
  #uncaused({ record, line }: RecordedRow): Turn {
    const intent = record as Intent;
    this.#numbering.part();
    this.#numbering.decided([intent], [], 0);
    const turn = { input: record, recorded: [], decided: [], before: this.#state, after: this.#state, rows: () => [] };
    const difference = { kind: "intents", seq: record.seq, cause: record, recorded: [line], decided: [] } as const;
    return { ...turn, known: true, older: false, dropped: true, difference };
  }

  /** A snapshot of a known state is compared and not used. */
  #snapshot({ input, intents }: InputWithIntents): Pick<Turn, "after" | "rows" | "older" | "difference"> {
    const { record, line: recorded, schema } = input;
    const seq = this.#state.seq + 1;
    const data = toSnapshot(this.#state);
    const older = schema !== LOG_SCHEMA_VERSION;
    const rest = {
      after: { ...this.#state, seq },
      older,
      rows: () => [rowOf({ ...record, seq, data } as EventRecord)],
    };
    if (intents.length > 0) {
      // Nothing is decided because of a snapshot.
      this.#numbering.part();
      this.#numbering.decided(
        intents.map((intent) => intent.record as Intent),
        [],
        0,
      );
      return { ...rest, difference: intentsDiffer(record, intents, [], []) };
    }
    const decided = lineOf(record, canonicalJson(data));
    if (older || this.#numbering.parted || decided === recorded) return rest;
    this.#numbering.part();
    const lines = { recorded: [recorded], decided: [decided] };
    return { ...rest, difference: { kind: "snapshot", seq: record.seq, cause: record, ...lines } };
  }
}

/** The intent with the numbers that it would have in the recorded log. */
function numberedAs(intent: Intent, input: EventRecord, index: number): Intent {
  return { ...intent, seq: input.seq + 1 + index, data: { ...intent.data, cause: input.seq } };
}

/** Of an intent that the state has just taken in: it has the canonical text of what was asked for. */
function intentLine(intent: Intent, { requested }: State): string {
  const { action, cause } = intent.data;
  return lineOf(intent, `{"action":"${action}","cause":${cause},"spec":${requested.get(intent.subject)?.canonical}}`);
}

function intentsDiffer(
  cause: EventRecord,
  recorded: readonly RecordedRow[],
  decided: readonly Intent[],
  lines: readonly string[],
): Difference {
  const index = lines.findIndex((line, at) => line !== recorded[at]?.line);
  const at = index < 0 ? lines.length : index;
  const seq = recorded[at]?.record.seq ?? decided[at]?.seq ?? cause.seq;
  return { kind: "intents", seq, cause, recorded: recorded.map(({ line }) => line), decided: lines };
}
