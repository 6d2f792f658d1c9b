/** How long the kernel may take to tell us of what we did: its messages wait for the event loop, and a tunnel's link comes up by a worker. */
const ECHO_MS = 300;

/**
 * Tells what we ourselves do to the kernel from what others do: by the time, for its notifications do not say. What others do meanwhile is
 * taken for ours, and waits for the timer.
 */
export class OwnChanges {
  #running = 0;
  #endedAt = Number.NEGATIVE_INFINITY;

  async during<T>(work: () => Promise<T>): Promise<T> {
    this.#running++;
    try {
      return await work();
    } finally {
      this.#running--;
      this.#endedAt = performance.now();
    }
  }

  /** What is heard now may be our own. */
  get echo(): boolean {
    return this.#running > 0 || performance.now() - this.#endedAt < ECHO_MS;
  }
}
