import type { Writable } from "node:stream";
import { AgentError } from "../errors.ts";
import { type Palette, paletteFor } from "./colour.ts";

/** What a command may use of the process it runs in. */
export interface Io {
  readonly out: Output;
  readonly err: Output;
  readonly env: NodeJS.ProcessEnv;
  /**
   * Aborted by SIGINT and SIGTERM, and when the output cannot be written any more. Whoever reads this property has to end on it:
   * from then on the two signals do nothing else.
   */
  readonly signal: AbortSignal;
}

/** Standard output or standard error, with colours that fit and no more in memory than the reader can take. */
export class Output {
  readonly palette: Palette;
  readonly isTerminal: boolean;
  readonly #stream: Writable;
  #closed = false;
  #used = false;
  #failure: NodeJS.ErrnoException | undefined;

  /**
   * `onClosed` is called once when nothing more can be written: the reader has gone away (EPIPE), as in `millrace log | head`, which
   * is no error, or the write failed, which {@link finish} tells.
   */
  constructor(stream: Writable & { readonly isTTY?: boolean }, env: NodeJS.ProcessEnv, onClosed: () => void) {
    this.#stream = stream;
    this.palette = paletteFor(stream, env);
    this.isTerminal = stream.isTTY === true;
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "EPIPE") this.#failure ??= error;
      if (!this.#closed) onClosed();
      this.#closed = true;
    });
  }

  /** Whether what is written may still arrive. */
  get open(): boolean {
    return !this.#closed;
  }

  /** Writes, and waits while the reader is slower than we are. What is for a reader that has gone is dropped. */
  async write(what: string | Uint8Array): Promise<void> {
    if (this.#closed || what.length === 0) return;
    this.#used = true;
    if (this.#stream.write(what)) return;
    // An error or an end also ends the wait: a reader that goes away drains nothing.
    const { promise, resolve } = Promise.withResolvers<void>();
    const events = ["drain", "error", "close"] as const;
    for (const event of events) this.#stream.once(event, resolve);
    await promise;
    for (const event of events) this.#stream.off(event, resolve);
  }

  /** Waits until everything is written. Throws `ERR_OUTPUT` when something could not be. */
  async finish(): Promise<void> {
    if (this.#used && !this.#closed) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#stream.write("", () => resolve()); // an error is told by the event
      await promise;
    }
    const cause = this.#failure;
    if (cause === undefined) return;
    throw new AgentError("ERR_OUTPUT", `the output cannot be written: ${cause.message}`, { cause });
  }

  json(value: unknown): Promise<void> {
    return this.write(`${JSON.stringify(value, undefined, 2)}\n`);
  }
}
