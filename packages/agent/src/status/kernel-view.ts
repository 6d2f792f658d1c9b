import type { Observation, WorkloadObservation } from "@millrace/core";
import {
  errorCode,
  errorMessage,
  type Outcome,
  type Reading,
  type Readings,
  type State,
  subjects,
  workloadUid,
} from "@millrace/core/internal";
import { type Observable, Subject } from "rxjs";

/** A reading when it began. */
interface Begun {
  /** Its place among all readings, from 1. */
  readonly number: number;
  /** RFC 3339, for people: a clock can be put back, so that no time here is ever compared with another. */
  readonly time: string;
  /** By a clock that only goes on, in milliseconds. */
  readonly at: number;
  /** What had come of all that was asked for: what came later may not be in it. */
  readonly outcomes: State["outcomes"];
}

/** A reading of everything that ended well. */
interface Whole extends Begun {
  readonly observation: Observation;
}

/** A reading of one workload by itself. */
interface Alone extends Pick<Begun, "number" | "at"> {
  readonly outcome: Outcome | undefined;
  readonly found: WorkloadObservation | undefined;
}

/** Why it is not known what the kernel holds now. */
export interface Unread {
  /** When the first attempt began that did not end well, RFC 3339; where none has ended at all, the last that did. */
  readonly since: string;
  /** Readings that failed since then. */
  readonly attempts: number;
  readonly code: string;
  readonly message: string;
}

export interface KernelViewOptions {
  /** What was seen longer ago is not known any more, in milliseconds: readings are due far more often, and each ends, well or not. Default: never. */
  readonly patienceMs?: number;
  /** The clock on the wall, and one that only goes on (`performance.now()`). */
  readonly now?: () => Date;
  readonly steadyMs?: () => number;
}

/**
 * What the agent last saw in the kernel, and when each workload was last seen to be there as wanted. Telemetry: it is kept in
 * memory only, and no decision rests on it.
 */
export class KernelView implements Readings {
  readonly #options: Required<KernelViewOptions>;
  readonly #read = new Subject<void>();
  #begun = 0;
  #last: Whole | undefined;
  /** The last reading of everything that failed, while none that began later has ended well. */
  #failed: (Unread & Pick<Begun, "number">) | undefined;
  #workloads: ReadonlyMap<string, WorkloadObservation> = new Map();
  /** Workloads that were read by themselves since the last reading of all began. */
  readonly #alone = new Map<string, Alone>();
  readonly #agreedAt = new Map<string, string>();

  constructor(options: KernelViewOptions = {}) {
    this.#options = {
      patienceMs: Number.POSITIVE_INFINITY,
      now: () => new Date(),
      steadyMs: () => performance.now(),
      ...options,
    };
  }

  /** The last reading of everything. `time` is when it began. */
  get last(): Pick<Whole, "time" | "observation"> | undefined {
    return this.#last;
  }

  /** Why it is not known what the kernel holds now; undefined while the last reading of everything ended well, and before the first. */
  get unread(): Unread | undefined {
    if (this.#failed !== undefined) {
      const { since, attempts, code, message } = this.#failed;
      return { since, attempts, code, message };
    }
    if (this.#last === undefined || this.#isRecent(this.#last)) return undefined;
    const seconds = Math.round(this.#options.patienceMs / 1000);
    const message = `no reading has ended for more than ${seconds} s`;
    return { since: this.#last.time, attempts: 0, code: "ERR_DEADLINE", message };
  }

  /** Of the readings that this workload would have been in, the last ended well. */
  isSeen(uid: string): boolean {
    const last = this.#alone.get(uid) ?? this.#last;
    return last !== undefined && last.number > (this.#failed?.number ?? 0) && this.#isRecent(last);
  }

  /** After each reading, however it ended. */
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

  /** The last reading that would have shown this outcome began after it had come. */
  hasReadBack(subject: string, outcome: Outcome | undefined): boolean {
    const alone = this.#alone.get(workloadUid(subject) ?? "");
    if (alone !== undefined) return isSame(alone.outcome, outcome);
    return this.#last !== undefined && isSame(this.#last.outcomes.get(subject), outcome);
  }

  /** When this workload was last seen complete, after its latest change. */
  agreedAt(uid: string): string | undefined {
    return this.#agreedAt.get(uid);
  }

  begin({ outcomes }: State): Reading<Observation> {
    const begun = this.#begin(outcomes);
    return {
      ended: (observation, state) => this.#seen({ ...begun, observation }, state),
      failed: (error) => this.#notSeen(begun, error),
    };
  }

  beginWorkloads({ outcomes }: State, uids: ReadonlySet<string>): Reading<readonly WorkloadObservation[]> {
    const begun = this.#begin(outcomes);
    return {
      ended: (found, state) => this.#seenAlone(begun, uids, found, state),
      // What was changed is then not read back, and waits for a reading of everything.
      failed: () => {},
    };
  }

  #begin(outcomes: State["outcomes"]): Begun {
    this.#begun += 1;
    const { now, steadyMs } = this.#options;
    return { number: this.#begun, time: now().toISOString(), at: steadyMs(), outcomes };
  }

  #isRecent({ at }: Pick<Begun, "at">): boolean {
    return this.#options.steadyMs() - at <= this.#options.patienceMs;
  }

  #notSeen({ number, time }: Begun, error: unknown): void {
    // It outlived its deadline, and a later one has ended well meanwhile.
    if (number < (this.#last?.number ?? 0)) return;
    const { since = time, attempts = 0 } = this.#failed ?? {};
    const [code, message] = [errorCode(error), errorMessage(error)];
    this.#failed = { number, since, attempts: attempts + 1, code, message };
    this.#read.next();
  }

  #seen(reading: Whole, state: State): void {
    const { number, observation } = reading;
    this.#last = reading;
    if (this.#failed !== undefined && this.#failed.number < number) this.#failed = undefined;
    this.#workloads = new Map(observation.workloads.map((workload) => [workload.uid, workload]));
    // Reading everything takes its time, and what was read of one workload meanwhile is the newer.
    for (const [uid, alone] of this.#alone) if (alone.number < number) this.#alone.delete(uid);
    this.#note(observation.workloads, reading, state);
    this.#forget(this.#agreedAt.keys(), state);
    this.#read.next();
  }

  #seenAlone(begun: Begun, uids: Iterable<string>, found: readonly WorkloadObservation[], state: State): void {
    const { number, at, outcomes } = begun;
    const byUid = new Map(found.map((workload) => [workload.uid, workload]));
    for (const uid of uids) {
      if (this.#numberOf(uid) > number) continue;
      this.#alone.set(uid, { number, at, outcome: outcomes.get(subjects.workload(uid)), found: byUid.get(uid) });
    }
    this.#note(found, begun, state);
    this.#forget(uids, state);
    this.#read.next();
  }

  /** Number of the reading that what is known of this workload is from. */
  #numberOf(uid: string): number {
    return this.#alone.get(uid)?.number ?? this.#last?.number ?? 0;
  }

  #forget(uids: Iterable<string>, state: State): void {
    for (const uid of uids) {
      if (state.requested.get(subjects.workload(uid))?.action !== "apply") this.#agreedAt.delete(uid);
    }
  }

  #note(found: readonly WorkloadObservation[], { time, outcomes }: Begun, state: State): void {
    for (const { uid, state: observed } of found) {
      const subject = subjects.workload(uid);
      const outcome = state.outcomes.get(subject);
      if (observed === "complete" && outcome?.state === "applied" && isSame(outcomes.get(subject), outcome))
        this.#agreedAt.set(uid, time);
    }
  }
}

/** Each try is asked for by an intent of its own, whose place in the log no other has: an outcome is known by that and by what came of it. */
function isSame(one: Outcome | undefined, other: Outcome | undefined): boolean {
  return one?.generation === other?.generation && one?.state === other?.state;
}
