/**
 * SIGINT and SIGTERM as an AbortSignal, for commands that end in order. Until one asks for it, both keep their default action:
 * a command that only reads is ended at once, also while it is busy or waits for an agent that does not answer.
 */
export class Interruption {
  readonly #stop = new AbortController();
  #listening = false;

  get signal(): AbortSignal {
    if (!this.#listening) {
      this.#listening = true;
      for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => this.abort(name));
    }
    return this.#stop.signal;
  }

  abort(reason: string): void {
    this.#stop.abort(new Error(reason));
  }
}
