export interface RewriteLimits {
  /** So many writes in a row are taken for what happens on a node: the primary is restarted, upgraded, configured anew. */
  readonly most: number;
  /** That many, within so long. Milliseconds. */
  readonly withinMs: number;
  /** First pause after that; each further one is twice as long. Milliseconds. */
  readonly pauseMs: number;
  readonly longestPauseMs: number;
}

export const REWRITE_LIMITS: RewriteLimits = { most: 5, withinMs: 60_000, pauseMs: 60_000, longestPauseMs: 900_000 };

/**
 * How often a file may be written again. Two programs that each put a file back as they want it would do so for ever, and every write
 * makes the runtime load its network anew; so the one that is us stops, says so, and tries again ever more rarely.
 *
 * Takes the time as an argument, in milliseconds of any clock that only goes forward.
 */
export class RewriteBudget {
  readonly #limits: RewriteLimits;
  #writes: number[] = [];
  #pauses = 0;
  #until = Number.NEGATIVE_INFINITY;

  constructor(limits: RewriteLimits = REWRITE_LIMITS) {
    this.#limits = limits;
  }

  /** Milliseconds to wait before the next write; 0: go on, and the write counts. */
  spend(now: number): number {
    const { most, withinMs } = this.#limits;
    if (now < this.#until) return this.#until - now;
    this.#writes = this.#writes.filter((at) => at > now - withinMs);
    // After a pause one try each; peace for as long as the last pause was ends the quarrel.
    if (now - this.#until > Math.max(withinMs, this.#pause())) this.#pauses = 0;
    if (this.#writes.length < (this.#pauses === 0 ? most : 1)) {
      this.#writes.push(now);
      return 0;
    }
    this.#pauses += 1;
    this.#writes = [];
    this.#until = now + this.#pause();
    return this.#pause();
  }

  #pause(): number {
    return Math.min(this.#limits.longestPauseMs, this.#limits.pauseMs * 2 ** (this.#pauses - 1));
  }
}
