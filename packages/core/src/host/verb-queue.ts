import type { Call, Workload, WorkloadUid } from "../backend/contract.ts";
import { KeyedMutex } from "./keyed-mutex.ts";
import { type Wish, type WorkloadTurn, WorkloadTurns } from "./workload-turns.ts";

/** Workloads that are changed in one step. Nobody is in both, and no two that are applied want the same interface or the same address. */
export interface WorkloadChanges {
  readonly applied: readonly Workload[];
  readonly removed: readonly WorkloadUid[];
}

/**
 * The verbs of an open redirection: one after the other, in the order in which they are asked for, and workloads that wait when their turn comes in one step. Reading the kernel or
 * starting a program for each of hundreds of pods costs more than all that is written for them. Of one workload the last wish is done, and whoever had an earlier one hears
 * what became of that.
 *
 * What waits longer than its deadline is not done any more: its caller gets the reason of the call's signal at once. What has begun is not answered before it is over; give up there by the
 * signal yourself, or the process of your plugin is ended.
 */
export class VerbQueue {
  readonly #change: (changes: WorkloadChanges) => Promise<void>;
  readonly #mutex = new KeyedMutex();
  readonly #turns = new WorkloadTurns();

  /**
   * `change` makes one step of these workloads, all of it or nothing. What it refuses is asked for again by halves, down to single workloads: nobody fails for
   * somebody else, and whoever is alone gets the error.
   */
  constructor(change: (changes: WorkloadChanges) => Promise<void>) {
    this.#change = change;
  }

  /** The verb of the contract. Rejects as `change` does for this workload alone, and with the signal's reason. */
  apply(workload: Workload, call?: Call): Promise<void> {
    return this.#wish({ kind: "apply", uid: workload.uid, workload }, call);
  }

  /** The verb of the contract. Rejects as {@link apply}. */
  remove(uid: WorkloadUid, call?: Call): Promise<void> {
    return this.#wish({ kind: "remove", uid }, call);
  }

  /** Any other verb. Resolves and rejects as `work` does; rejects with the signal's reason when that is aborted before its turn. */
  run<T>(work: () => Promise<T>, call?: Call): Promise<T> {
    this.#turns.close();
    return this.#inTurn(work, call);
  }

  #wish(wish: Wish, call?: Call): Promise<void> {
    const caller = this.#turns.add(wish);
    this.#inTurn(() => this.#changeAll(inOrder(this.#turns.take())), call).catch((error: unknown) => {
      // One that is being done with others hears what becomes of it.
      if (this.#turns.drop(caller)) caller.reject(error);
    });
    return caller.promise;
  }

  #inTurn<T>(work: () => Promise<T>, { signal }: Partial<Call> = {}): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const giveUp = () => reject(signal?.reason);
    if (signal?.aborted) giveUp();
    signal?.addEventListener("abort", giveUp, { once: true });
    const turn = this.#mutex.run("", async () => {
      signal?.removeEventListener("abort", giveUp);
      signal?.throwIfAborted();
      return work();
    });
    turn.then(resolve, reject);
    return promise;
  }

  /** Answers every one. */
  async #changeAll(turns: readonly WorkloadTurn[]): Promise<void> {
    if (turns.length === 0) return;
    try {
      await this.#change(changesOf(turns));
      for (const { resolve } of turns.flatMap(({ callers }) => callers)) resolve();
    } catch (error) {
      if (turns.length === 1) {
        for (const { reject } of turns.flatMap(({ callers }) => callers)) reject(error);
        return;
      }
      const half = Math.ceil(turns.length / 2);
      await this.#changeAll(turns.slice(0, half));
      await this.#changeAll(turns.slice(half));
    }
  }
}

/** Removals first: who is applied may want what they have, also where they are not done together. */
function inOrder(turns: readonly WorkloadTurn[]): WorkloadTurn[] {
  const isRemoval = ({ wish }: WorkloadTurn) => wish.kind === "remove";
  return [...turns.filter(isRemoval), ...turns.filter((turn) => !isRemoval(turn))];
}

function changesOf(turns: readonly WorkloadTurn[]): WorkloadChanges {
  return {
    applied: turns.flatMap(({ wish }) => (wish.kind === "apply" ? [wish.workload] : [])),
    removed: turns.flatMap(({ wish }) => (wish.kind === "remove" ? [wish.uid] : [])),
  };
}
