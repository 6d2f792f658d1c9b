import { errorCode, errorMessage } from "../errors.ts";
import type { EventInput } from "../events/event.ts";
import { subjects } from "../events/subjects.ts";
import type { Logger } from "../logger.ts";
import { backoffDelay } from "../queue/backoff.ts";
import { realTimers, type Timers } from "../queue/keyed-queue.ts";

export interface ResyncOptions {
  readonly intervalMs: number;
  readonly observe: () => Promise<void>;
  readonly submit: (input: EventInput) => Promise<void>;
  readonly log: Logger;
  readonly timers?: Timers;
}

/** After a comparison that failed, the next is made this much later, and ever later while they fail: what the kernel holds is not known meanwhile. */
const RETRY_MS = 1_000;

/** Compares with the kernel at once and then in intervals, counted from the end of one comparison to the start of the next. */
export class ResyncLoop {
  readonly #options: Required<ResyncOptions>;
  #timer: unknown;
  #isWaiting = false;
  #running: Promise<void> | undefined;
  #stopped = true;
  /** Comparisons that failed since the last that did not. */
  #failures = 0;

  constructor(options: ResyncOptions) {
    this.#options = { timers: realTimers, ...options };
  }

  start(): void {
    if (!this.#stopped) return;
    this.#stopped = false;
    this.#running = this.#resync(0);
  }

  /** Another reading than ours has failed: the next of ours is made soon, unless one is under way or due soon already. */
  retrySoon(): void {
    if (this.#stopped || !this.#isWaiting || this.#failures > 0) return;
    this.#options.timers.clear(this.#timer);
    this.#failures = 1;
    this.#wait();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#options.timers.clear(this.#timer);
    await this.#running;
  }

  async #resync(delayMs: number): Promise<void> {
    const { observe, submit, log } = this.#options;
    try {
      await submit({ type: "resync.due", subject: subjects.agent, data: { delayMs } });
      await observe();
      this.#failures = 0;
    } catch (error) {
      this.#failures += 1;
      log.error({ code: errorCode(error), error: errorMessage(error) }, "the kernel could not be observed");
    }
    if (!this.#stopped) this.#wait();
  }

  #wait(): void {
    const nextMs = this.#nextMs();
    this.#isWaiting = true;
    this.#timer = this.#options.timers.set(() => {
      this.#isWaiting = false;
      this.#running = this.#resync(nextMs);
    }, nextMs);
  }

  #nextMs(): number {
    const { intervalMs } = this.#options;
    return this.#failures === 0 ? intervalMs : backoffDelay({ baseMs: RETRY_MS, capMs: intervalMs }, this.#failures, 1);
  }
}
