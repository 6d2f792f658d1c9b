import type { Workload, WorkloadUid } from "../backend/contract.ts";

/** What is asked for of one workload: to be redirected so, or no longer. */
export type Wish =
  | { readonly kind: "apply"; readonly uid: WorkloadUid; readonly workload: Workload }
  | { readonly kind: "remove"; readonly uid: WorkloadUid };

/** Somebody who waits to hear what becomes of a wish. */
export type Caller = PromiseWithResolvers<void>;

/** A wish whose turn has come, with all who are told what becomes of it. */
export interface WorkloadTurn {
  readonly wish: Wish;
  readonly callers: readonly Caller[];
}

interface Waiting {
  readonly wish: Wish;
  readonly caller: Caller;
  readonly era: number;
}

/**
 * Wishes that wait, so that those that wait together are read and written together: starting a program costs more than all it does.
 * None overtakes another verb. Of one workload the last wish is done, and whoever had an earlier one is told what becomes of that.
 */
export class WorkloadTurns {
  readonly #waiting: Waiting[] = [];
  #era = 0;

  add(wish: Wish): Caller {
    const caller = Promise.withResolvers<void>();
    this.#waiting.push({ wish, caller, era: this.#era });
    return caller;
  }

  /** Another verb was called: what is added from now on has to wait until that is done. */
  close(): void {
    this.#era += 1;
  }

  /**
   * Takes what waits first and all that may be done with it; none when nobody waits. Who is removed is in nobody's way: what it has
   * is free for whoever is redirected in the same turn.
   */
  take(): WorkloadTurn[] {
    const taken = new Map<WorkloadUid, WorkloadTurn>();
    const era = this.#waiting[0]?.era;
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      const { wish, caller } = next;
      if (next.era !== era || [...taken.values()].some((other) => isInTheWay(other.wish, wish))) break;
      this.#waiting.shift();
      const callers = [...(taken.get(wish.uid)?.callers ?? []), caller];
      // Where the last one stands is its place.
      taken.delete(wish.uid);
      taken.set(wish.uid, { wish, callers });
    }
    return [...taken.values()];
  }

  /** Gives up a wish, and says whether it had not been taken yet: then nobody else answers its caller. */
  drop(caller: Caller): boolean {
    const index = this.#waiting.findIndex((waiting) => waiting.caller === caller);
    if (index >= 0) this.#waiting.splice(index, 1);
    return index >= 0;
  }
}

/** Two pods that want the same interface or address: what becomes of one depends on the other. */
function isInTheWay(a: Wish, b: Wish): boolean {
  if (a.kind === "remove" || b.kind === "remove" || a.uid === b.uid) return false;
  const [one, other] = [a.workload, b.workload];
  return (
    one.interface.hostIndex === other.interface.hostIndex ||
    one.addresses.some((address) => other.addresses.includes(address))
  );
}
