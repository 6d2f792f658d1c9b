import type { PluginLogger } from "@millrace/core";
import { errorMessage } from "@millrace/core/internal";

/** Between two sweeps, where an adoption lasts longer, and after one that failed: each reads all workloads, however many of them are about to end. */
const SWEEP_INTERVAL_MS = 60_000;

/**
 * Tells when adoptions may be over, so that they are ended by whoever can: while an entry says until when connections from before an
 * enrolment pass, the programs ask the clock for every packet of its workload, which costs more than a lookup. One timer for all.
 */
export class AdoptionEnds implements Disposable {
  readonly #end: () => Promise<number | undefined>;
  readonly #lasts: number;
  readonly #log: PluginLogger;
  #timer: NodeJS.Timeout | undefined;
  #isDisposed = false;

  /** `end` ends those that are over, and says in how many milliseconds the next one is; undefined: none is left. An adoption `lasts` so many. */
  constructor(end: () => Promise<number | undefined>, lasts: number, log: PluginLogger) {
    this.#end = end;
    this.#lasts = lasts;
    this.#log = log;
  }

  /** One may just have begun. Where an earlier one is waited for already, its end finds out about this one. */
  expect(): void {
    this.#arm(this.#lasts);
  }

  [Symbol.dispose](): void {
    this.#isDisposed = true;
    clearTimeout(this.#timer);
  }

  #arm(milliseconds: number): void {
    if (this.#timer !== undefined || this.#isDisposed) return;
    this.#timer = setTimeout(() => void this.#sweep(), milliseconds).unref();
  }

  async #sweep(): Promise<void> {
    let next: number | undefined;
    try {
      next = await this.#end();
    } catch (error) {
      if (this.#isDisposed) return;
      this.#log.warn({ error: errorMessage(error) }, "adoptions that are over were not ended; trying again");
      next = SWEEP_INTERVAL_MS;
    }
    this.#timer = undefined;
    if (next !== undefined) this.#arm(Math.max(next, Math.min(this.#lasts, SWEEP_INTERVAL_MS)));
  }
}
