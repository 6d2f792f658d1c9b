import { setImmediate as turn } from "node:timers/promises";

/**
 * Keeps work from meeting half-made state, first come first served. What `run` does, it does alone. What `runShared` does may run beside
 * more of its kind: each has state of its own, and while one waits for the kernel (rtnetlink's lock is everybody's on the node) the
 * others get on. Between two the event loop turns: work that is nothing but system calls, one workload's after the other's, would leave
 * nobody an answer for seconds.
 */
export class Mutex {
  /** Settled when all is over that was asked for. */
  #over: Promise<unknown> = Promise.resolve();
  /** Settled when what runs beside others may begin: the last that runs alone is over, the last shared one has begun. */
  #open: Promise<unknown> = Promise.resolve();

  run<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#over.then(work);
    this.#open = result.then(turned, turned);
    this.#over = this.#open;
    return result;
  }

  runShared<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#open.then(work);
    this.#open = this.#open.then(turned);
    this.#over = Promise.all([this.#over, result.then(turned, turned)]);
    return result;
  }
}

const turned = async (): Promise<void> => turn();
