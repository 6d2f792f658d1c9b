import type { Difference, Turn } from "./turn.ts";

/** Rows that were not compared: from the first row behind those that are missing to the last before the snapshot. */
export interface Stretch {
  readonly from: number;
  readonly to: number;
}

/** What a replay came to. */
export interface ReplayResult {
  readonly events: number;
  /** Inputs that were fed in and whose intents were compared. */
  readonly inputs: number;
  /** Intents that were decided again, byte for byte. */
  readonly intents: number;
  /** Snapshots that are the replayed state, byte for byte. */
  readonly snapshots: number;
  readonly differences: readonly Difference[];
  readonly skipped: readonly Stretch[];
  /** `seq` of the last row. */
  readonly last: number;
}

/** Counts turns as they pass. */
export class Tally {
  #events = 0;
  #inputs = 0;
  #intents = 0;
  #snapshots = 0;
  #last = 0;
  readonly #differences: Difference[] = [];
  readonly #skipped: { from: number; to: number }[] = [];

  add({ input, recorded, known, older, difference }: Turn): void {
    this.#events += 1 + recorded.length;
    const last = (recorded.at(-1) ?? input).seq;
    if (difference !== undefined) this.#differences.push(difference);
    if (!known) this.#skip(input.seq, last, input.type === "state.snapshot");
    else this.#inputs++;
    if (known && difference === undefined) {
      this.#intents += recorded.length;
      if (input.type === "state.snapshot" && !older) this.#snapshots++;
    }
    this.#last = last;
  }

  /** `last`: the `seq` with which the log should end, if that is known. One that ends before it was cut off. */
  end(last: number | undefined): void {
    if (last === undefined || this.#last >= last) return;
    this.#differences.push({ kind: "missing", seq: this.#last + 1, recorded: [], decided: [] });
  }

  get result(): ReplayResult {
    return {
      events: this.#events,
      inputs: this.#inputs,
      intents: this.#intents,
      snapshots: this.#snapshots,
      differences: this.#differences,
      skipped: this.#skipped,
      last: this.#last,
    };
  }

  #skip(from: number, to: number, resumes: boolean): void {
    if (resumes) return; // a snapshot is where the next stretch that is known begins
    const open = this.#skipped.at(-1);
    if (open !== undefined && open.to === this.#last && open.to >= open.from) open.to = to;
    else this.#skipped.push({ from, to });
  }
}
