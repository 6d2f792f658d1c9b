export interface RefreshLoopOptions {
  /** Looks at the world once. Resolves to the milliseconds after which it wants to look again at the latest, if it does. */
  readonly refresh: (signal: AbortSignal) => Promise<number | undefined>;
  /** Told when `refresh` throws; it is then called again after `retryMs`. */
  readonly onError: (error: unknown) => void;
  readonly retryMs: number;
}

/**
 * Runs one refresh at a time, as soon as somebody asked for it and never twice for what was asked before it began.
 *
 * This is the level-triggered half of a watcher: notifications only say *when* to look. RxJS has no operator that coalesces
 * and still runs once more for a trigger that came during the run (`exhaustMap` forgets it, `concatMap` queues every one).
 */
export class RefreshLoop implements AsyncDisposable {
  readonly #options: RefreshLoopOptions;
  readonly #stop = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #dueAt = Number.POSITIVE_INFINITY;
  #running: Promise<void> | undefined;

  constructor(options: RefreshLoopOptions) {
    this.#options = options;
  }

  /** Asks for a refresh within `ms`. The earliest request wins, so a steady rain of requests delays nothing. */
  within(ms: number): void {
    const at = performance.now() + ms;
    if (this.#stop.signal.aborted || at >= this.#dueAt) return;
    this.#dueAt = at;
    if (this.#running === undefined) this.#arm();
  }

  /** Stops; resolves when the refresh that was running has ended. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    clearTimeout(this.#timer);
    await this.#running;
  }

  #arm(): void {
    clearTimeout(this.#timer);
    if (this.#stop.signal.aborted || this.#dueAt === Number.POSITIVE_INFINITY) return;
    this.#timer = setTimeout(() => this.#run(), Math.max(0, this.#dueAt - performance.now()));
  }

  #run(): void {
    this.#dueAt = Number.POSITIVE_INFINITY;
    this.#running = this.#refresh().finally(() => {
      this.#running = undefined;
      this.#arm();
    });
  }

  async #refresh(): Promise<void> {
    try {
      const next = await this.#options.refresh(this.#stop.signal);
      if (next !== undefined) this.within(next);
    } catch (error) {
      if (this.#stop.signal.aborted) return;
      this.#options.onError(error);
      this.within(this.#options.retryMs);
    }
  }
}
