import { backoffDelay } from "@millrace/core/internal";
import type { Recovery } from "./recovery.ts";
import type { ApiTiming } from "./timing.ts";

export interface EndedRound {
  /** For how long its watch was open, in milliseconds; 0 where none came to be. */
  readonly watchedMs: number;
  readonly pause: Recovery["pause"];
  /** What the API server asked for, where it did. */
  readonly retryAfterMs?: number | undefined;
}

/** How long one watch waits before it asks again: longer each time, until a watch has been open for a while. */
export class Pauses {
  readonly #timing: ApiTiming;
  readonly #random: () => number;
  #failures = 0;
  #kind: Recovery["pause"] = "away";

  constructor(timing: ApiTiming, random: () => number) {
    this.#timing = timing;
    this.#random = random;
  }

  /** Milliseconds. */
  after({ watchedMs, pause, retryAfterMs = 0 }: EndedRound): number {
    const { away, refused, recoveredMs, watchMs } = this.#timing;
    // A watch that was to be short and was not cut short has done all that it could. (Told times are up to a fifth less.)
    const recovered = watchedMs >= Math.min(recoveredMs, watchMs / 2);
    if (recovered || pause !== this.#kind) this.#failures = 0;
    this.#kind = pause;
    // Also after a watch that ended well: one that always ends at once would otherwise be asked for without end.
    this.#failures++;
    const own = backoffDelay(pause === "away" ? away : refused, this.#failures, this.#random());
    // On top of what was asked for: everyone who was refused at that moment was told the same.
    return own + Math.min(retryAfterMs, refused.capMs);
  }
}
