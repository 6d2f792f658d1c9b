import {
  KeyedQueue,
  type Part,
  type Purpose,
  type QueueStatus,
  Reconciler,
  ResyncLoop,
  reconcileRank,
} from "@millrace/core/internal";
import { RTPROT_MILLRACE } from "@millrace/host";
import { kernelChanges, type Marks } from "@millrace/watchers";
import { filter, type Subscription } from "rxjs";
import type { Logger } from "../logging/logger.ts";
import type { KernelView } from "../status/kernel-view.ts";
import type { EnginePart } from "./engine-part.ts";
import { OwnChanges } from "./own-changes.ts";
import { ReadingBack } from "./reading-back.ts";
import type { RedirectionPart } from "./redirection-part.ts";
import { Started } from "./started.ts";
import { TakingOverGate } from "./taking-over-gate.ts";

/** What both backends have in the kernel is known by these: chains in capitals, everything else in small letters. */
const MARKS: Marks = { protocol: RTPROT_MILLRACE, name: /^millrace/i };

interface Running {
  readonly reconciler: Reconciler;
  readonly queue: KeyedQueue;
  readonly resync: ResyncLoop;
  readonly subscriptions: readonly Subscription[];
}

/** Does what was decided, tries again what failed, and compares with the kernel from time to time and after each change. */
export class ReconcilingPart implements Part {
  readonly name = "reconciling";
  readonly #engine: EnginePart;
  readonly #redirection: RedirectionPart;
  readonly #view: KernelView;
  readonly #intervalMs: number;
  readonly #log: Logger;
  readonly #running = new Started<Running>("the reconciler");
  readonly #own = new OwnChanges();

  constructor(engine: EnginePart, redirection: RedirectionPart, view: KernelView, intervalMs: number, log: Logger) {
    this.#engine = engine;
    this.#redirection = redirection;
    this.#view = view;
    this.#intervalMs = intervalMs;
    this.#log = log.child({ component: "reconciler" });
  }

  /** What is still to be done; nothing before the start. */
  get queue(): QueueStatus {
    return this.#running.running ? this.#running.value.queue.status() : { waiting: [], running: [], backingOff: [] };
  }

  /** Reads the kernel now: the view is told of it, and what differs becomes events. */
  observe(purpose?: Purpose): Promise<void> {
    return this.#running.value.reconciler.observe(purpose);
  }

  start(): void {
    const { engine } = this.#engine;
    const submit = engine.submit.bind(engine);
    const log = this.#log;
    const reconciler = new Reconciler({
      redirection: this.#redirection.redirection,
      state: () => engine.state,
      submit,
      log,
      readings: this.#view,
    });
    const queue = new KeyedQueue({
      run: (subject, attempt) => this.#own.during(() => reconciler.reconcile(subject, attempt)),
      retryDue: (subject, retry) => submit({ type: "retry.due", subject, data: retry }),
      rank: reconcileRank,
    });
    const resync = new ResyncLoop({ intervalMs: this.#intervalMs, observe: () => this.observe(), submit, log });
    const readingBack = new ReadingBack({
      records$: engine.records$,
      observe: () => this.observe("new"),
      observeWorkloads: (uids) => reconciler.observeWorkloads(uids),
      changes$: kernelChanges({ marks: MARKS, log }).pipe(filter(() => !this.#own.echo)),
      log,
    });
    const gate = new TakingOverGate(this.#redirection);
    const subscriptions = [
      engine.intents$.subscribe(({ subject }) => {
        if (!gate.holds(engine.state, subject)) queue.add(subject);
      }),
      engine.records$.pipe(filter(({ type }) => type === "redirection.applied")).subscribe(({ subject }) => {
        for (const passed of gate.passed(engine.state, subject)) queue.add(passed);
      }),
      readingBack.start(),
      this.#view.read$.pipe(filter(() => this.#view.unread !== undefined)).subscribe(() => resync.retrySoon()),
    ];
    this.#running.set({ reconciler, queue, resync, subscriptions });
    resync.start();
  }

  /** Finishes what is under way. */
  async stop(): Promise<void> {
    if (!this.#running.running) return;
    const { queue, resync, subscriptions } = this.#running.value;
    for (const subscription of subscriptions) subscription.unsubscribe();
    await resync.stop();
    await queue.close();
    this.#running.clear();
  }
}
