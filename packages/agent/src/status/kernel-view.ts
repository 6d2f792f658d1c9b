import { type Observation, type State, subjects } from "@millrace/core";
import { type Observable, Subject } from "rxjs";

/** The last reading of the kernel. `time` is when it began (RFC 3339): what changed after that may not be in it. */
export interface Reading {
  readonly time: string;
  readonly observation: Observation;
}

/**
 * What the agent last saw in the kernel, and when each workload was last seen to be there as wanted. Telemetry: it is kept in
 * memory only, and no decision rests on it.
 */
export class KernelView {
  readonly #read = new Subject<void>();
  #last: Reading | undefined;
  readonly #agreedAt = new Map<string, string>();

  get last(): Reading | undefined {
    return this.#last;
  }

  /** After each reading. */
  get read$(): Observable<void> {
    return this.#read.asObservable();
  }

  /** When this workload was last seen complete, after its latest change. */
  agreedAt(uid: string): string | undefined {
    return this.#agreedAt.get(uid);
  }

  /** Takes in a reading. `state` says what was wanted by then. */
  record(reading: Reading, state: State): void {
    this.#last = reading;
    for (const { uid, state: found } of reading.observation.workloads) {
      const outcome = state.outcomes.get(subjects.workload(uid));
      if (found === "complete" && outcome?.state === "applied" && outcome.time <= reading.time) {
        this.#agreedAt.set(uid, reading.time);
      }
    }
    for (const uid of this.#agreedAt.keys()) {
      if (state.requested.get(subjects.workload(uid))?.action !== "apply") this.#agreedAt.delete(uid);
    }
    this.#read.next();
  }
}
