/** What has a time, and of two at the same time the one that comes first by `rank`. */
export interface Timed {
  readonly atNs: bigint;
  readonly rank: number;
}

/**
 * Puts what several sources tell, each in order, in order of time. Sources are read round by round; what a round brings is handed on with the next
 * one, which by then has all that is older than it. It knows no clock: one that is set back disturbs the order of that moment, and holds nothing up.
 */
export class MergedByTime<T extends Timed> {
  #held: T[] = [];

  /** What may be handed on now, in order. */
  add(round: readonly T[]): T[] {
    const upTo = this.#held.at(-1)?.atNs;
    const all = [...this.#held, ...round].sort(byTime);
    const ready = upTo === undefined ? 0 : all.findLastIndex(({ atNs }) => atNs <= upTo) + 1;
    this.#held = all.slice(ready);
    return all.slice(0, ready);
  }

  /** The rest. */
  finish(): T[] {
    return this.#held.splice(0);
  }
}

function byTime(left: Timed, right: Timed): number {
  if (left.atNs !== right.atNs) return left.atNs < right.atNs ? -1 : 1;
  return left.rank - right.rank;
}
