import type { Writable } from "node:stream";
import { type Palette, paletteFor } from "./colour.ts";

/** What a command may use of the process it runs in. */
export interface Io {
  readonly out: Output;
  readonly err: Output;
  readonly env: NodeJS.ProcessEnv;
  /** Aborted by SIGINT and SIGTERM, and when nobody reads the output any more. */
  readonly signal: AbortSignal;
}

/** Standard output or standard error, with colours that fit and no more in memory than the reader can take. */
export class Output {
  readonly palette: Palette;
  readonly isTerminal: boolean;
  readonly #stream: Writable;
  #closed = false;

  /** `onClosed` is called once when the reader has gone away (EPIPE), as in `millrace log | head`: that is no error. */
  constructor(stream: Writable & { readonly isTTY?: boolean }, env: NodeJS.ProcessEnv, onClosed: () => void) {
    this.#stream = stream;
    this.palette = paletteFor(stream, env);
    this.isTerminal = stream.isTTY === true;
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "EPIPE") throw error;
      if (!this.#closed) onClosed();
      this.#closed = true;
    });
  }

  /** Whether anybody may still be reading. */
  get open(): boolean {
    return !this.#closed;
  }

  /** Writes, and waits while the reader is slower than we are. Text for a reader that has gone is dropped. */
  async write(text: string): Promise<void> {
    if (this.#closed || text === "" || this.#stream.write(text)) return;
    // An error or an end also ends the wait: a reader that goes away drains nothing.
    const { promise, resolve } = Promise.withResolvers<void>();
    const events = ["drain", "error", "close"] as const;
    for (const event of events) this.#stream.once(event, resolve);
    await promise;
    for (const event of events) this.#stream.off(event, resolve);
  }

  json(value: unknown): Promise<void> {
    return this.write(`${JSON.stringify(value, undefined, 2)}\n`);
  }
}
