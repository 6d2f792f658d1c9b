import { BehaviorSubject, type Observable, Subject } from "rxjs";
import { isNews } from "../decide/is-news.ts";
import { step } from "../decide/step.ts";
import { errorMessage } from "../errors.ts";
import type { EventInput, EventRecord } from "../events/event.ts";
import { parseInput } from "../events/parse.ts";
import { subjects } from "../events/subjects.ts";
import type { EventLog } from "../log/event-log.ts";
import type { Logger } from "../logger.ts";
import { toSnapshot } from "../state/snapshot.ts";
import type { State } from "../state/state.ts";
import { type Enrolment, enrolmentAtDeadline, enrolmentOf } from "./enrolment.ts";

export interface EngineOptions {
  /** Where rows go; without one the agent runs unlogged. */
  readonly eventLog?: Pick<EventLog, "append" | "gap" | "onWritable" | "lastSeq"> | undefined;
  /** The state that the log left off with. */
  readonly state: State;
  readonly log: Logger;
  readonly now?: () => Date;
  /** A snapshot is written after so many rows, so that restoring stays quick. Default 10000. */
  readonly snapshotEvery?: number;
  /** Most inputs that share one commit. Default 512. */
  readonly maxBatch?: number;
}

interface Pending {
  readonly input: EventInput;
  /** When it was handed in (`performance.now()`). */
  readonly since: number;
  resolve(): void;
  reject(error: unknown): void;
}

/**
 * Turns inputs into events, state and intents, one batch after the other: everything is decided in memory, then all rows of the batch go to
 * the log in one transaction, then the new state is published and its intents are released. An intent is acted on only when its row is
 * durable, or the log's deadline has passed.
 */
export class Engine {
  readonly #options: Required<Omit<EngineOptions, "eventLog">> & Pick<EngineOptions, "eventLog">;
  readonly #state: BehaviorSubject<State>;
  readonly #records = new Subject<EventRecord>();
  readonly #intents = new Subject<EventRecord<"redirection.requested">>();
  readonly #inputs = new Subject<Pending>();
  #waiting: Pending[] = [];
  /** The first of the batch that is being worked on. */
  #working: Pending | undefined;
  #running: Promise<void> | undefined;
  #sinceSnapshot = 0;

  constructor(options: EngineOptions) {
    this.#options = { now: () => new Date(), snapshotEvery: 10_000, maxBatch: 512, ...options };
    const { state, eventLog } = this.#options;
    this.#state = new BehaviorSubject({ ...state, seq: Math.max(state.seq, eventLog?.lastSeq ?? 0) });
    this.#inputs.subscribe((pending) => {
      this.#waiting.push(pending);
      this.#wake();
    });
    eventLog?.onWritable(() => this.#wake());
  }

  get state(): State {
    return this.#state.value;
  }

  /** The state after each batch, beginning with the present one. */
  get state$(): Observable<State> {
    return this.#state.asObservable();
  }

  /** Every row, in order, once its batch is durable or the deadline has passed. */
  get records$(): Observable<EventRecord> {
    return this.#records.asObservable();
  }

  /** Intents to act on; the state that has them is published before. */
  get intents$(): Observable<EventRecord<"redirection.requested">> {
    return this.#intents.asObservable();
  }

  /**
   * Hands in what a watcher or an outcome says. Resolves when it is part of the published state; inputs are taken in the order in which
   * they are submitted. Rejects with ERR_EVENT_INVALID; that is logged too, so the result may be ignored.
   */
  submit(input: EventInput): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    promise.catch((error: unknown) => {
      const { type, subject } = input;
      this.#options.log.error({ type, subject, error: errorMessage(error) }, "input refused");
    });
    try {
      this.#inputs.next({ input: parseInput(input), since: performance.now(), resolve, reject });
    } catch (error) {
      reject(error);
    }
    return promise;
  }

  /** How long the oldest input that is not part of the published state has been waiting, in milliseconds; 0 when there is none. */
  get oldestWaitMs(): number {
    const oldest = this.#working ?? this.#waiting[0];
    return oldest === undefined ? 0 : performance.now() - oldest.since;
  }

  /** Resolves when everything submitted so far is part of the published state. */
  async settled(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
  }

  /** The first thing that `look` finds in the present or a later state; undefined once the signal is aborted. */
  waitFor<Found>(look: (state: State) => Found | undefined, signal: AbortSignal): Promise<Found | undefined> {
    const { promise, resolve } = Promise.withResolvers<Found | undefined>();
    const giveUp = () => resolve(undefined);
    if (signal.aborted) giveUp();
    signal.addEventListener("abort", giveUp, { once: true });
    const subscription = this.#state.subscribe((state) => {
      const found = look(state);
      if (found !== undefined) resolve(found);
    });
    return promise.finally(() => {
      subscription.unsubscribe();
      signal.removeEventListener("abort", giveUp);
    });
  }

  /** Waits until it is certain what becomes of a pod: enrolled, or none of ours. The signal is the deadline. */
  async enrolment(uid: string, signal: AbortSignal): Promise<Enrolment> {
    // What was submitted before this call has to count.
    await Promise.race([this.settled(), aborted(signal)]);
    return (await this.waitFor((state) => enrolmentOf(state, uid), signal)) ?? enrolmentAtDeadline(this.state, uid);
  }

  #wake(): void {
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
      if (this.#waiting.length > 0) this.#wake();
    });
  }

  async #run(): Promise<void> {
    // What is submitted in the same turn of the event loop shares a batch.
    await Promise.resolve();
    do {
      const batch = this.#waiting.splice(0, this.#options.maxBatch);
      this.#working = batch[0];
      await this.#batch(batch);
    } while (this.#waiting.length > 0);
    this.#working = undefined;
  }

  async #batch(batch: readonly Pending[]): Promise<void> {
    const { eventLog, log, now } = this.#options;
    const time = now().toISOString();
    const records: EventRecord[] = [];
    const intents: EventRecord<"redirection.requested">[] = [];
    const done: Pending[] = [];
    let state = this.#beginning(records, time);
    for (const pending of batch) {
      try {
        if (isNews(state, pending.input)) {
          const next = step(state, pending.input, time);
          state = next.state;
          records.push(...next.records);
          intents.push(...next.intents);
        }
        done.push(pending);
      } catch (error) {
        pending.reject(error);
      }
    }
    if (records.length > 0) {
      const durability = await eventLog?.append(records);
      if (durability === "unlogged") log.debug({ rows: records.length }, "going on before the event log has the rows");
      this.#sinceSnapshot += records.length;
      this.#state.next(state);
      for (const record of records) this.#records.next(record);
      for (const intent of intents) this.#intents.next(intent);
    }
    for (const pending of done) pending.resolve();
  }

  /** What has to be said before the batch: that rows are missing, and where a replay can begin again. */
  #beginning(records: EventRecord[], time: string): State {
    const gap = this.#options.eventLog?.gap();
    let { state } = this;
    const say = (input: EventInput) => {
      const next = step(state, input, time);
      state = next.state;
      records.push(...next.records);
    };
    if (gap !== undefined) {
      state = { ...state, seq: Math.max(state.seq, gap.after) };
      say({ type: "log.gap", subject: subjects.log, data: { count: gap.count, reason: gap.reason } });
    }
    if (gap !== undefined || this.#sinceSnapshot >= this.#options.snapshotEvery) {
      say({ type: "state.snapshot", subject: subjects.log, data: toSnapshot(state) });
      this.#sinceSnapshot = 0;
    }
    return state;
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
