import { type Observation, type State, subjects, type WorkloadObservation } from "@millrace/core";
import { type Observable, Subject } from "rxjs";

/** The last reading of all of the kernel. `time` is when it began (RFC 3339): what changed after that may not be in it. */
export interface Reading {
  readonly time: string;
  readonly observation: Observation;
}

/** A reading of some workloads: `found` has those of which the kernel holds something. */
export interface WorkloadsReading {
  readonly time: string;
  readonly uids: Iterable<string>;
  readonly found: readonly WorkloadObservation[];
}

interface ReadAlone {
  readonly time: string;
  readonly found: WorkloadObservation | undefined;
}

/**
 * What the agent last saw in the kernel, and when each workload was last seen to be there as wanted. Telemetry: it is kept in
 * memory only, and no decision rests on it.
 */
export class KernelView {
  readonly #read = new Subject<void>();
  #last: Reading | undefined;
  #workloads: ReadonlyMap<string, WorkloadObservation> = new Map();
  /** Workloads that were read by themselves since the last reading of all began. */
  readonly #alone = new Map<string, ReadAlone>();
  readonly #agreedAt = new Map<string, string>();

  get last(): Reading | undefined {
    return this.#last;
  }

  /** After each reading. */
  get read$(): Observable<void> {
    return this.#read.asObservable();
  }

  /** Every workload as it was last seen. */
  workloads(): WorkloadObservation[] {
    const others = [...this.#workloads.values()].filter(({ uid }) => !this.#alone.has(uid));
    return [...others, ...[...this.#alone.values()].flatMap(({ found }) => found ?? [])];
  }

  workload(uid: string): WorkloadObservation | undefined {
    const alone = this.#alone.get(uid);
    return alone === undefined ? this.#workloads.get(uid) : alone.found;
  }

  /** When the last reading that this workload would have been in began; undefined before the first. */
  readAt(uid: string): string | undefined {
    return this.#alone.get(uid)?.time ?? this.#last?.time;
  }

  /** When this workload was last seen complete, after its latest change. */
  agreedAt(uid: string): string | undefined {
    return this.#agreedAt.get(uid);
  }

  /** Takes in a reading of everything. `state` says what was wanted by then. */
  record(reading: Reading, state: State): void {
    const { time, observation } = reading;
    this.#last = reading;
    this.#workloads = new Map(observation.workloads.map((workload) => [workload.uid, workload]));
    // Reading everything takes its time, and what was read of one workload meanwhile is the newer.
    for (const [uid, alone] of this.#alone) if (alone.time <= time) this.#alone.delete(uid);
    this.#note(observation.workloads, time, state);
    this.#forget(this.#agreedAt.keys(), state);
    this.#read.next();
  }

  /** Takes in a reading of some workloads. */
  recordWorkloads({ time, uids, found }: WorkloadsReading, state: State): void {
    const byUid = new Map(found.map((workload) => [workload.uid, workload]));
    for (const uid of uids) this.#alone.set(uid, { time, found: byUid.get(uid) });
    this.#note(found, time, state);
    this.#forget(uids, state);
    this.#read.next();
  }

  #forget(uids: Iterable<string>, state: State): void {
    for (const uid of uids) {
      if (state.requested.get(subjects.workload(uid))?.action !== "apply") this.#agreedAt.delete(uid);
    }
  }

  #note(found: readonly WorkloadObservation[], time: string, state: State): void {
    for (const { uid, state: observed } of found) {
      const outcome = state.outcomes.get(subjects.workload(uid));
      if (observed === "complete" && outcome?.state === "applied" && outcome.time <= time)
        this.#agreedAt.set(uid, time);
    }
  }
}
