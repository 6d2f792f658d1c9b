/**
 * One writer at a time, first come first served. The kernel serialises attaching and rtnetlink anyway (RCU, rtnl), so running verbs
 * side by side would gain nothing and let them see each other's half-made state.
 */
export class Mutex {
  #tail: Promise<void> = Promise.resolve();

  run<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#tail.then(work);
    this.#tail = result.then(ignore, ignore);
    return result;
  }
}

function ignore(): void {}
