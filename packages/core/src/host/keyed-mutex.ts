/** Work on one thing is done one after the other, in the order in which it was asked for; work on different things is not kept waiting. */
export class KeyedMutex {
  readonly #last = new Map<string, Promise<unknown>>();

  /** Resolves and rejects as `work` does. What failed keeps nobody behind it from being done. */
  run<T>(key: string, work: () => Promise<T>): Promise<T> {
    const result = (this.#last.get(key) ?? Promise.resolve()).then(work);
    const over = result.then(
      () => undefined,
      () => undefined, // told to who asked for it
    );
    this.#last.set(key, over);
    void over.then(() => {
      if (this.#last.get(key) === over) this.#last.delete(key);
    });
    return result;
  }

  /** Keys that something is under way for. */
  get busy(): readonly string[] {
    return [...this.#last.keys()];
  }
}
