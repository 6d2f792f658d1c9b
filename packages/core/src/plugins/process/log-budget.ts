/** Lines at once, and lines a second after them: enough for what people read. */
const BURST = 100;
const PER_SECOND = 10;

/** How many lines a plugin may still log. One that logs in a loop must fill neither the disk nor the agent's time. */
export class LogBudget {
  readonly #now: () => number;
  #left = BURST;
  #at: number;
  #leftOut = 0;

  /** `now`: milliseconds, of a clock that is not set. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
    this.#at = now();
  }

  /** Undefined: leave the line out. Else how many were left out before it. */
  take(): number | undefined {
    const now = this.#now();
    this.#left = Math.min(BURST, this.#left + ((now - this.#at) / 1000) * PER_SECOND);
    this.#at = now;
    if (this.#left < 1) {
      this.#leftOut += 1;
      return undefined;
    }
    this.#left -= 1;
    const leftOut = this.#leftOut;
    this.#leftOut = 0;
    return leftOut;
  }
}
