import { CoreError, errorMessage } from "../errors.ts";
import type { Logger } from "../logger.ts";

/** One part of the agent: whoever starts it stops it. */
export interface Part {
  readonly name: string;
  start(): Promise<void> | void;
  /** Called once for every start that succeeded. */
  stop(): Promise<void> | void;
}

/** Starts parts in order and stops them in reverse. A start that fails half way is undone. */
export class Lifecycle {
  readonly #parts: readonly Part[];
  readonly #log: Logger;
  #started: Part[] = [];

  constructor(parts: readonly Part[], log: Logger) {
    this.#parts = parts;
    this.#log = log;
  }

  /** Throws ERR_START_FAILED after stopping what had started; its cause is what the part threw. */
  async start(): Promise<void> {
    for (const part of this.#parts) {
      try {
        await part.start();
      } catch (cause) {
        const failures = await this.#stopAll();
        const undone =
          failures.length === 0 ? "" : `; and undoing the start failed: ${failures.map(errorMessage).join("; ")}`;
        throw new CoreError("ERR_START_FAILED", `${part.name} did not start: ${errorMessage(cause)}${undone}`, {
          cause,
        });
      }
      this.#started.push(part);
      this.#log.debug({ part: part.name }, "started");
    }
  }

  /** Stops everything, also when a part fails to; then throws ERR_STOP_FAILED with all of it. Stopping twice is fine. */
  async stop(): Promise<void> {
    const failures = await this.#stopAll();
    if (failures.length === 0) return;
    throw new CoreError("ERR_STOP_FAILED", failures.map(errorMessage).join("; "), {
      cause: new AggregateError(failures),
    });
  }

  async #stopAll(): Promise<unknown[]> {
    const failures: unknown[] = [];
    for (let part = this.#started.pop(); part !== undefined; part = this.#started.pop()) {
      try {
        await part.stop();
        this.#log.debug({ part: part.name }, "stopped");
      } catch (cause) {
        failures.push(new CoreError("ERR_STOP_FAILED", `${part.name} did not stop: ${errorMessage(cause)}`, { cause }));
      }
    }
    return failures;
  }
}
