/** Runtimes repeat DEL (kubelet: stop, then remove the sandbox). What was said once is not said again; bounded, so rarely it is. */
export class RemovedContainers {
  readonly #ids = new Set<string>();
  readonly #limit: number;

  constructor(limit = 1024) {
    this.#limit = limit;
  }

  /** True when this container was not noted before. */
  note(id: string): boolean {
    if (this.#ids.has(id)) return false;
    this.#ids.add(id);
    const [oldest] = this.#ids;
    if (oldest !== undefined && this.#ids.size > this.#limit) this.#ids.delete(oldest);
    return true;
  }

  has(id: string): boolean {
    return this.#ids.has(id);
  }

  forget(id: string): void {
    this.#ids.delete(id);
  }
}
