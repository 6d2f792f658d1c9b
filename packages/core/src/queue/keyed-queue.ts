import { type Backoff, backoffDelay, DEFAULT_BACKOFF } from "./backoff.ts";

/** Timers, so that tests can turn the clock themselves. */
export interface Timers {
  set(callback: () => void, delayMs: number): unknown;
  clear(timer: unknown): void;
}

export const realTimers: Timers = {
  set: (callback, delayMs) => setTimeout(callback, delayMs),
  clear: (timer) => clearTimeout(timer as NodeJS.Timeout),
};

/** A backend does what it is asked for together in one step where it can: starting `ipset` once for 32 workloads costs what it does for one. */
export const DEFAULT_CONCURRENCY = 32;

export interface QueueOptions {
  /** Brings the key's subject to what is wanted. A rejection means: try again later. `attempt` is 1 for the first try. */
  run(key: string, attempt: number): Promise<void>;
  /** It is time to ask for the key again. Whoever still wants it adds it again before the promise resolves; else it is forgotten. */
  retryDue(key: string, retry: { readonly attempt: number; readonly delayMs: number }): Promise<void>;
  /** Lower goes first. Default: all the same, in order of arrival. */
  readonly rank?: (key: string) => number;
  /** Most keys that run at once. Default `DEFAULT_CONCURRENCY`. */
  readonly concurrency?: number;
  readonly backoff?: Backoff;
  readonly timers?: Timers;
  readonly random?: () => number;
}

export interface QueueStatus {
  readonly waiting: readonly string[];
  readonly running: readonly string[];
  /** Keys that failed and wait for their next try. */
  readonly backingOff: readonly { readonly key: string; readonly failures: number; readonly delayMs: number }[];
}

interface Failure {
  count: number;
  delayMs: number;
  timer: unknown;
}

/**
 * A level-triggered work queue, after controller-runtime's: it holds keys, never events, so that it is bounded by what there is and not by
 * what happens. A key that is added while it waits is one key; one that is added while it runs is run once more afterwards; one key never
 * runs twice at once. Failures are tried again without limit, with growing delays.
 */
export class KeyedQueue {
  readonly #options: Required<QueueOptions>;
  readonly #waiting = new Set<string>();
  readonly #running = new Map<string, Promise<void>>();
  readonly #failures = new Map<string, Failure>();
  #closed = false;

  constructor(options: QueueOptions) {
    this.#options = {
      rank: () => 0,
      concurrency: DEFAULT_CONCURRENCY,
      backoff: DEFAULT_BACKOFF,
      timers: realTimers,
      random: Math.random,
      ...options,
    };
  }

  /** Asks for the key now; a delay that it was serving is over, the number of its failures is not. */
  add(key: string): void {
    if (this.#closed) return;
    this.#stopTimer(key);
    this.#waiting.add(key);
    this.#fill();
  }

  status(): QueueStatus {
    return {
      waiting: [...this.#waiting].sort(),
      running: [...this.#running.keys()].sort(),
      backingOff: [...this.#failures]
        .filter(([, { timer }]) => timer !== undefined)
        .map(([key, { count, delayMs }]) => ({ key, failures: count, delayMs }))
        .sort((a, b) => (a.key < b.key ? -1 : 1)),
    };
  }

  /** Starts nothing more and waits for what runs. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#waiting.clear();
    for (const key of this.#failures.keys()) this.#stopTimer(key);
    await Promise.all(this.#running.values());
  }

  #fill(): void {
    while (!this.#closed && this.#running.size < this.#options.concurrency) {
      const key = this.#next();
      if (key === undefined) return;
      this.#waiting.delete(key);
      this.#running.set(key, this.#run(key));
    }
  }

  /** The waiting key of the lowest rank that is not running; the one that came first among equals. */
  #next(): string | undefined {
    let best: string | undefined;
    for (const key of this.#waiting) {
      if (this.#running.has(key)) continue;
      if (best === undefined || this.#options.rank(key) < this.#options.rank(best)) best = key;
    }
    return best;
  }

  async #run(key: string): Promise<void> {
    // Not in the caller's turn: `add` returns before anything is done.
    await Promise.resolve();
    try {
      await this.#options.run(key, (this.#failures.get(key)?.count ?? 0) + 1);
      this.#failures.delete(key);
    } catch {
      // Whoever runs the key has said why it failed; here it only counts that it did.
      this.#failed(key);
    } finally {
      this.#running.delete(key);
      this.#fill();
    }
  }

  #failed(key: string): void {
    const { backoff, random, timers } = this.#options;
    const count = (this.#failures.get(key)?.count ?? 0) + 1;
    const delayMs = backoffDelay(backoff, count, random());
    const failure: Failure = { count, delayMs, timer: undefined };
    this.#failures.set(key, failure);
    if (this.#closed || this.#waiting.has(key)) return;
    failure.timer = timers.set(() => void this.#due(key, failure), delayMs);
  }

  async #due(key: string, failure: Failure): Promise<void> {
    failure.timer = undefined;
    try {
      await this.#options.retryDue(key, { attempt: failure.count + 1, delayMs: failure.delayMs });
    } finally {
      const wanted = this.#waiting.has(key) || this.#running.has(key);
      if (!wanted && this.#failures.get(key) === failure) this.#failures.delete(key);
    }
  }

  #stopTimer(key: string): void {
    const failure = this.#failures.get(key);
    if (failure?.timer === undefined) return;
    this.#options.timers.clear(failure.timer);
    failure.timer = undefined;
  }
}
