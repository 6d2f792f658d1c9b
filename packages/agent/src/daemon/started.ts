/**
 * What a part of the agent has once it runs. The order of starting makes sure that nobody asks before; if somebody does, that is a
 * mistake of ours, and says which.
 */
export class Started<T extends object> {
  readonly #what: string;
  #value: T | undefined;

  constructor(what: string) {
    this.#what = what;
  }

  get value(): T {
    if (this.#value === undefined) throw new Error(`${this.#what} was used while it does not run`);
    return this.#value;
  }

  get running(): boolean {
    return this.#value !== undefined;
  }

  set(value: T): void {
    this.#value = value;
  }

  /** Takes it back, for whoever stops it; undefined when it does not run. */
  clear(): T | undefined {
    const value = this.#value;
    this.#value = undefined;
    return value;
  }
}
