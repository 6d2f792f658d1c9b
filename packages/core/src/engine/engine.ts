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
  readonly eventLog?:
    | (Pick<EventLog, "append" | "gap" | "onWritable" | "lastSeq"> & Partial<Pick<EventLog, "wantsSnapshot">>)
    | undefined;
  /** The state that the log left off with. */
  readonly state: State;
  readonly log: Logger;
  readonly now?: () => Date;
  /** A snapshot is written after so many rows at the latest, so that restoring stays quick; sooner if the log wants one. Default 10000. */
  readonly snapshotEvery?: number;
  /** Most inputs that share one commit. Default 512. */
  readonly maxBatch?: number;
  /** Most batches that are on their way to the log at once; what comes meanwhile shares the next. Default 8. */
  readonly maxWriting?: number;
}

interface Pending {
  /** Absent for who only waits for what was handed in before. */
  readonly input?: EventInput;
  /** When it was handed in (`performance.now()`). */
  readonly since: number;
  resolve(): void;
  reject(error: unknown): void;
}

/** What a batch came to. */
interface Decided {
  readonly state: State;
  readonly records: readonly EventRecord[];
  readonly intents: readonly EventRecord<"redirection.requested">[];
  readonly done: readonly Pending[];
}

/**
 * Turns inputs into events, state and intents, one batch after the other: everything is decided in memory, then all rows of the batch go to
 * the log in one transaction, then the new state is published and its intents are released. An intent is acted on only when its row is
 * durable, or the log's deadline has passed. The next batch is decided while the one before is being written; they are published in order.
 */
export class Engine {
  readonly #options: Required<Omit<EngineOptions, "eventLog">> & Pick<EngineOptions, "eventLog">;
  readonly #state: BehaviorSubject<State>;
  /** What is decided already, published or not. */
  readonly #ahead: BehaviorSubject<State>;
  readonly #records = new Subject<EventRecord>();
  readonly #intents = new Subject<EventRecord<"redirection.requested">>();
  readonly #inputs = new Subject<Pending>();
  #waiting: Pending[] = [];
  /** The first of each batch that is being written, the oldest batch first. */
  readonly #writing: Pending[] = [];
  /** Settled when the last batch that is being written has been published. */
  #published: Promise<void> = Promise.resolve();
  #isAwake = false;
  #sinceSnapshot = 0;

  constructor(options: EngineOptions) {
    this.#options = { now: () => new Date(), snapshotEvery: 10_000, maxBatch: 512, maxWriting: 8, ...options };
    const { state, eventLog } = this.#options;
    this.#state = new BehaviorSubject({ ...state, seq: Math.max(state.seq, eventLog?.lastSeq ?? 0) });
    this.#ahead = new BehaviorSubject(this.#state.value);
    this.#inputs.subscribe((pending) => {
      this.#waiting.push(pending);
      this.#wake();
    });
    // Nobody has to submit anything for the log to say what it lost.
    eventLog?.onWritable(() => void this.settled());
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
    const oldest = this.#writing[0] ?? this.#waiting[0];
    return oldest === undefined ? 0 : performance.now() - oldest.since;
  }

  /** Resolves when everything submitted so far is part of the published state. */
  settled(): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#inputs.next({ since: performance.now(), resolve, reject });
    return promise;
  }

  /** The first thing that `look` finds in the present or a later state; undefined once the signal is aborted. */
  waitFor<Found>(look: (state: State) => Found | undefined, signal: AbortSignal): Promise<Found | undefined> {
    return firstFound(this.#state, look, signal);
  }

  /**
   * Waits until it is certain what becomes of a pod: enrolled, or none of ours. The signal is the deadline. Who waits need not wait for the
   * row that says so: without it, the next agent would do again what is done.
   */
  async enrolment(uid: string, signal: AbortSignal): Promise<Enrolment> {
    // What was submitted before this call has to count: it is decided in the same turn, unless too much is being written.
    await Promise.resolve();
    if (this.#waiting.length > 0) await Promise.race([this.settled(), aborted(signal)]);
    const found = await firstFound(this.#ahead, (state) => enrolmentOf(state, uid), signal);
    return found ?? enrolmentAtDeadline(this.#ahead.value, uid);
  }

  #wake(): void {
    if (this.#isAwake) return;
    this.#isAwake = true;
    // What is submitted in the same turn of the event loop shares a batch.
    queueMicrotask(() => {
      this.#isAwake = false;
      this.#work();
    });
  }

  #work(): void {
    const { maxBatch, maxWriting } = this.#options;
    while (this.#waiting.length > 0 && this.#writing.length < maxWriting) {
      const batch = this.#waiting.splice(0, maxBatch);
      this.#writing.push(batch[0] as Pending);
      const decided = this.#decide(batch);
      this.#ahead.next(decided.state);
      const written = this.#write(decided.records);
      this.#published = this.#published.then(async () => {
        await written;
        this.#publish(decided);
        this.#writing.shift();
        if (this.#waiting.length > 0) this.#wake();
      });
    }
  }

  async #write(records: readonly EventRecord[]): Promise<void> {
    const { eventLog, log } = this.#options;
    if (records.length === 0) return;
    const durability = await eventLog?.append(records);
    if (durability === "unlogged") log.debug({ rows: records.length }, "going on before the event log has the rows");
  }

  #publish({ state, records, intents, done }: Decided): void {
    if (records.length > 0) {
      this.#state.next(state);
      for (const record of records) this.#records.next(record);
      for (const intent of intents) this.#intents.next(intent);
    }
    for (const pending of done) pending.resolve();
  }

  #decide(batch: readonly Pending[]): Decided {
    const time = this.#options.now().toISOString();
    const records: EventRecord[] = [];
    const intents: EventRecord<"redirection.requested">[] = [];
    const done: Pending[] = [];
    let state = this.#beginning(records, time);
    for (const pending of batch) {
      try {
        if (pending.input !== undefined && isNews(state, pending.input)) {
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
    this.#sinceSnapshot += records.length;
    return { state, records, intents, done };
  }

  /** What has to be said before the batch: that rows are missing, and where a replay can begin again. */
  #beginning(records: EventRecord[], time: string): State {
    const gap = this.#options.eventLog?.gap();
    let state = this.#ahead.value;
    const say = (input: EventInput) => {
      const next = step(state, input, time);
      state = next.state;
      records.push(...next.records);
    };
    if (gap !== undefined) {
      state = { ...state, seq: Math.max(state.seq, gap.after) };
      say({ type: "log.gap", subject: subjects.log, data: { count: gap.count, reason: gap.reason } });
    }
    const due = this.#sinceSnapshot >= this.#options.snapshotEvery || this.#options.eventLog?.wantsSnapshot === true;
    if (gap !== undefined || due) {
      say({ type: "state.snapshot", subject: subjects.log, data: toSnapshot(state) });
      this.#sinceSnapshot = 0;
    }
    return state;
  }
}

function firstFound<Found>(
  state$: Observable<State>,
  look: (state: State) => Found | undefined,
  signal: AbortSignal,
): Promise<Found | undefined> {
  const { promise, resolve } = Promise.withResolvers<Found | undefined>();
  const giveUp = () => resolve(undefined);
  if (signal.aborted) giveUp();
  signal.addEventListener("abort", giveUp, { once: true });
  const subscription = state$.subscribe((state) => {
    const found = look(state);
    if (found !== undefined) resolve(found);
  });
  return promise.finally(() => {
    subscription.unsubscribe();
    signal.removeEventListener("abort", giveUp);
  });
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
