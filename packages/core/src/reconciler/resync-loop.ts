import { errorCode, errorMessage } from "../errors.ts";
import type { EventInput } from "../events/event.ts";
import { subjects } from "../events/subjects.ts";
import type { Logger } from "../logger.ts";
import { realTimers, type Timers } from "../queue/keyed-queue.ts";

export interface ResyncOptions {
  readonly intervalMs: number;
  readonly observe: () => Promise<void>;
  readonly submit: (input: EventInput) => Promise<void>;
  readonly log: Logger;
  readonly timers?: Timers;
}

/** Compares with the kernel at once and then in intervals, counted from the end of one comparison to the start of the next. */
export class ResyncLoop {
  readonly #options: Required<ResyncOptions>;
  #timer: unknown;
  #running: Promise<void> | undefined;
  #stopped = true;

  constructor(options: ResyncOptions) {
    this.#options = { timers: realTimers, ...options };
  }

  start(): void {
    if (!this.#stopped) return;
    this.#stopped = false;
    this.#running = this.#resync(0);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#options.timers.clear(this.#timer);
    await this.#running;
  }

  async #resync(delayMs: number): Promise<void> {
    const { intervalMs, observe, submit, log, timers } = this.#options;
    try {
      await submit({ type: "resync.due", subject: subjects.agent, data: { delayMs } });
      await observe();
    } catch (error) {
      log.error({ code: errorCode(error), error: errorMessage(error) }, "the kernel could not be observed");
    }
    if (this.#stopped) return;
    this.#timer = timers.set(() => {
      this.#running = this.#resync(intervalMs);
    }, intervalMs);
  }
}
