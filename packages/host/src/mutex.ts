import { setImmediate as turn } from "node:timers/promises";

/**
 * One writer at a time, first come first served. The kernel serialises attaching and rtnetlink anyway (RCU, rtnl), so running verbs
 * side by side would gain nothing and let them see each other's half-made state. Between two the event loop turns: work that is nothing
 * but system calls, one workload's after the other's, would leave nobody an answer for seconds.
 */
export class Mutex {
  #tail: Promise<void> = Promise.resolve();

  run<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#tail.then(work);
    this.#tail = result.then(turned, turned);
    return result;
  }
}

const turned = async (): Promise<void> => turn();
