import type { Workload } from "@millrace/core";

/** One call of `apply` that waits for its turn. */
export interface ApplyTurn {
  readonly workload: Workload;
  readonly done: PromiseWithResolvers<void>;
}

interface WaitingTurn extends ApplyTurn {
  readonly era: number;
}

/**
 * Calls of `apply` that wait, so that those that wait together are read and written together: starting a program costs more than all it
 * does. None overtakes another verb, and none is done together with one that it could be in the way of.
 */
export class ApplyTurns {
  readonly #waiting: WaitingTurn[] = [];
  #era = 0;

  add(workload: Workload): ApplyTurn {
    const turn = { workload, done: Promise.withResolvers<void>(), era: this.#era };
    this.#waiting.push(turn);
    return turn;
  }

  /** Another verb was called: what is added from now on has to wait until that is done. */
  close(): void {
    this.#era += 1;
  }

  /** Takes the first that waits and all that may be done with it; none when nobody waits. */
  take(): ApplyTurn[] {
    const taken: ApplyTurn[] = [];
    const era = this.#waiting[0]?.era;
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      const { workload } = next;
      if (next.era !== era || taken.some((other) => isInTheWay(other.workload, workload))) break;
      taken.push(next);
      this.#waiting.shift();
    }
    return taken;
  }

  /** Gives up a turn that has not been taken. */
  drop(turn: ApplyTurn): void {
    const index = this.#waiting.findIndex(({ done }) => done === turn.done);
    if (index >= 0) this.#waiting.splice(index, 1);
  }
}

/** The same pod, interface or address: what becomes of one depends on the other. */
function isInTheWay(a: Workload, b: Workload): boolean {
  return (
    a.uid === b.uid ||
    a.interface.hostIndex === b.interface.hostIndex ||
    a.addresses.some((address) => b.addresses.includes(address))
  );
}
