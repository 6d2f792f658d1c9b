import type { Proxies, Redirection, Workload, WorkloadUid } from "../backend/contract.ts";
import { errorCode, errorMessage } from "../errors.ts";
import type { EventInput } from "../events/event.ts";
import { subjects } from "../events/subjects.ts";
import type { Logger } from "../logger.ts";
import { isApplied } from "../state/queries.ts";
import type { Requested, State } from "../state/state.ts";
import { findDrift, workloadDrift } from "./drift.ts";
import type { Reading, Readings } from "./readings.ts";
import { withDeadline } from "./with-deadline.ts";

export const DEFAULT_DEADLINE_MS = 30_000;

export interface ReconcilerOptions {
  readonly redirection: Redirection;
  readonly state: () => State;
  /** Resolves when the input is part of the state. */
  readonly submit: (input: EventInput) => Promise<void>;
  readonly log: Logger;
  /** Who wants to know what is read. Telemetry: decisions see only the drift that a reading found. */
  readonly readings: Readings;
  /** Longest that one verb of the backend may take, in milliseconds. Default {@link DEFAULT_DEADLINE_MS}. */
  readonly deadlineMs?: number;
  /** A clock for durations, in milliseconds. */
  readonly now?: () => number;
}

/**
 * What a look at the kernel is for, from least to most. `mended`: whether doing it again helped what had drifted. `new`: also what has drifted
 * since; of what doing it again did not help nothing is said, or it would be done again at once, for ever. `all`: that too.
 */
const PURPOSES = ["mended", "new", "all"] as const;
export type Purpose = (typeof PURPOSES)[number];

const more = (a: Purpose, b: Purpose): Purpose => (PURPOSES.indexOf(a) > PURPOSES.indexOf(b) ? a : b);

/** Brings one subject at a time to what the state last asked for, by the backend's verbs, and tells the outcome as an event. */
export class Reconciler {
  readonly #options: Required<ReconcilerOptions>;
  /** Calls that outlived their deadline, by subject: a second one has to wait for them. */
  readonly #overdue = new Map<string, Promise<unknown>>();
  #observing: Promise<void> | undefined;
  /** The reading that begins when this one has ended. */
  #next: { purpose: Purpose; readonly done: Promise<void> } | undefined;

  constructor(options: ReconcilerOptions) {
    this.#options = { deadlineMs: DEFAULT_DEADLINE_MS, now: () => performance.now(), ...options };
  }

  /** Does what was last asked for about the subject. Rejects when that failed, after saying so in an event. */
  async reconcile(subject: string, attempt: number): Promise<void> {
    const { state, submit, log, now } = this.#options;
    const requested = state().requested.get(subject);
    if (requested === undefined || isApplied(state(), subject)) return;
    const { action, seq: generation } = requested;
    const begin = now();
    const outcome = () => ({ generation, durationMs: roundMs(now() - begin), attempt });
    try {
      await this.#call(subject, action, () => this.#verb(requested));
    } catch (cause) {
      const error = { code: errorCode(cause), message: errorMessage(cause) };
      log.warn({ subject, action, attempt, ...error }, "redirection failed, will be tried again");
      await submit({ type: "redirection.failed", subject, data: { action, ...outcome(), error } });
      throw cause;
    }
    const done: EventInput =
      action === "remove"
        ? { type: "redirection.removed", subject, data: { action, ...outcome() } }
        : { type: "redirection.applied", subject, data: { action, ...outcome() } };
    log.debug({ subject, action, attempt }, "redirection done");
    await submit(done);
    this.#verifyMended();
  }

  /** Looks at the kernel and tells what differs from what was applied, and what no longer does. Rejects when looking failed. */
  observe(purpose: Purpose = "all"): Promise<void> {
    return this.#observe(purpose);
  }

  /**
   * Looks at these workloads alone and tells of them what {@link observe} with `new` tells of all. False for a backend that cannot. Rejects
   * when looking failed.
   */
  async observeWorkloads(uids: ReadonlySet<WorkloadUid>): Promise<boolean> {
    const { redirection, state, readings } = this.#options;
    const observeWorkloads = redirection.observeWorkloads?.bind(redirection);
    if (observeWorkloads === undefined) return false;
    const before = state();
    const reading = readings.beginWorkloads(before, uids);
    const found = await this.#read(reading, "observe workloads", () => observeWorkloads(uids));
    const after = state();
    const byUid = new Map(found.map((workload) => [workload.uid, workload]));
    for (const uid of uids) {
      const subject = subjects.workload(uid);
      const problems = workloadDrift(after, uid, byUid.get(uid));
      if (problems.length === 0) await this.#tellMended(before, after, subject);
      else if (!after.drift.has(subject)) await this.#tellFound(before, after, subject, problems);
    }
    return true;
  }

  /** One at a time. Whoever asks meanwhile gets the next one: what has changed since may not be in what is being read. */
  #observe(purpose: Purpose): Promise<void> {
    if (this.#next !== undefined) {
      this.#next.purpose = more(this.#next.purpose, purpose);
      return this.#next.done;
    }
    if (this.#observing === undefined) return this.#begin(purpose);
    const begin = (): Promise<void> => this.#begin(this.#next?.purpose ?? purpose);
    this.#next = { purpose, done: this.#observing.then(begin, begin) };
    return this.#next.done;
  }

  #begin(purpose: Purpose): Promise<void> {
    this.#next = undefined;
    const observing = this.#compare(purpose).finally(() => {
      this.#observing = undefined;
    });
    this.#observing = observing;
    return observing;
  }

  async #compare(purpose: Purpose): Promise<void> {
    const { redirection, state, readings } = this.#options;
    const before = state();
    const observation = await this.#read(readings.begin(before), "observe", () => redirection.observe());
    const after = state();
    const drift = findDrift(after, observation);
    for (const [subject, problems] of purpose === "mended" ? [] : drift) {
      if (purpose === "new" && after.drift.has(subject)) continue;
      await this.#tellFound(before, after, subject, problems);
    }
    for (const subject of after.drift.keys()) {
      if (!drift.has(subject)) await this.#tellMended(before, after, subject);
    }
  }

  /** What was read; rejects as the work does. The reading is told either. */
  async #read<Found>(reading: Reading<Found>, what: string, work: () => Promise<Found>): Promise<Found> {
    let found: Found;
    try {
      found = await withDeadline(work(), this.#options.deadlineMs, what);
    } catch (error) {
      reading.failed(error);
      throw error;
    }
    reading.ended(found, this.#options.state());
    return found;
  }

  async #tellFound(before: State, after: State, subject: string, problems: readonly string[]): Promise<void> {
    // Asked for or confirmed while we looked: the observation may be older than that.
    if (!isUnchanged(before, after, subject)) return;
    this.#options.log.warn({ subject, problems }, "drift found, will be mended");
    await this.#options.submit({ type: "drift.found", subject, data: { problems: [...problems] } });
  }

  async #tellMended(before: State, after: State, subject: string): Promise<void> {
    const problems = after.drift.get(subject);
    if (problems === undefined || !isUnchanged(before, after, subject) || isUnderWay(after, subject)) return;
    this.#options.log.info({ subject, problems }, "drift mended");
    await this.#options.submit({ type: "drift.mended", subject, data: { problems: [...problems] } });
  }

  /** Once everything that had drifted has been done again, looks whether that helped. What it did not help waits for the next look. */
  #verifyMended(): void {
    const state = this.#options.state();
    if (state.drift.size === 0 || state.drift.some((_, subject) => isUnderWay(state, subject))) return;
    this.#observe("mended").catch((error: unknown) => {
      this.#options.log.error(
        { code: errorCode(error), error: errorMessage(error) },
        "the kernel could not be observed",
      );
    });
  }

  async #call(subject: string, action: string, verb: () => Promise<void>): Promise<void> {
    const { deadlineMs } = this.#options;
    const overdue = this.#overdue.get(subject);
    if (overdue !== undefined) await withDeadline(overdue, deadlineMs, `${action} of ${subject}, begun earlier,`);
    const work = verb();
    try {
      await withDeadline(work, deadlineMs, `${action} of ${subject}`);
    } catch (error) {
      if (errorCode(error) === "ERR_DEADLINE") this.#remember(subject, work);
      throw error;
    }
  }

  #remember(subject: string, work: Promise<void>): void {
    // How it ends does not matter any more, only that it does.
    const ended = work.then(
      () => {},
      () => {},
    );
    this.#overdue.set(subject, ended);
    void ended.then(() => this.#overdue.delete(subject));
  }

  #verb(requested: Requested): Promise<void> {
    const { redirection } = this.#options;
    switch (requested.action) {
      case "apply":
        return redirection.apply(requested.spec satisfies Workload);
      case "remove":
        return redirection.remove(requested.spec.uid);
      case "use-proxies":
        return redirection.useProxies(requested.spec satisfies Proxies);
      case "use-node":
        return redirection.useNode(requested.spec);
    }
  }
}

/** Rank in the queue: what all workloads need goes first. */
export function reconcileRank(subject: string): number {
  return subject === subjects.proxies || subject === subjects.node ? 0 : 1;
}

function isUnchanged(before: State, after: State, subject: string): boolean {
  return (
    before.requested.get(subject)?.seq === after.requested.get(subject)?.seq &&
    before.outcomes.get(subject) === after.outcomes.get(subject)
  );
}

function isUnderWay(state: State, subject: string): boolean {
  return state.requested.has(subject) && !isApplied(state, subject);
}

/** Microseconds are enough, and keep rows short. */
function roundMs(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}
