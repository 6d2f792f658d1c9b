import { type EventRecord, subjects, workloadUid } from "@millrace/core/internal";
import { cpuTimeMs } from "linux-ts";
import { audit, auditTime, filter, from, map, merge, type Observable, Subscription, switchMap, timer } from "rxjs";
import type { Logger } from "../logging/logger.ts";

/** How soon after a change the kernel is read back, so that the status tells what is there; once in this time at the most. */
const READ_BACK_MS = 500;

/**
 * What others may cause as often as they like takes no more than one part in so many of a core: the node's addresses, which change with every pod whose
 * host interface has one of its own (fe80::/10), and what anybody does to what is ours.
 */
const REST = 200;

export interface ReadingBackOptions {
  readonly records$: Observable<EventRecord>;
  /** Something of ours in the kernel was changed by somebody else: what, in a few words. */
  readonly changes$: Observable<string>;
  /** Reads everything. */
  readonly observe: () => Promise<void>;
  /** Reads these alone; false where that cannot be done. */
  readonly observeWorkloads: (uids: ReadonlySet<string>) => Promise<boolean>;
  /** CPU time that was used so far, in milliseconds, that of programs which were run included. */
  readonly cpuTimeMs?: () => number;
  readonly log: Logger;
}

/**
 * Reads back what was done, by us and by others. What concerns one workload costs the reading of that workload: on a node with many, each that comes or goes
 * would otherwise be answered by reading all of them.
 */
export class ReadingBack {
  readonly #options: ReadingBackOptions;
  #changed = new Set<string>();
  /** The last reading that others have caused, and until when there is to be no other. */
  #paced: Promise<void> = Promise.resolve();
  #restsUntil = Number.NEGATIVE_INFINITY;

  constructor(options: ReadingBackOptions) {
    this.#options = options;
  }

  start(): Subscription {
    const { records$, changes$ } = this.#options;
    const done$ = records$.pipe(filter(({ type }) => type === "redirection.applied" || type === "redirection.removed"));
    const workloads$ = done$.pipe(
      filter(({ subject }) => this.#note(workloadUid(subject))),
      auditTime(READ_BACK_MS),
    );
    const proxies$ = done$.pipe(
      filter(({ subject }) => subject === subjects.proxies),
      auditTime(READ_BACK_MS),
    );
    const node$ = done$.pipe(
      filter(({ subject }) => subject === subjects.node),
      map(() => "the node's addresses"),
    );
    const paced$ = merge(node$, changes$).pipe(
      audit(() =>
        from(this.#paced).pipe(switchMap(() => timer(Math.max(READ_BACK_MS, this.#restsUntil - performance.now())))),
      ),
    );
    const subscription = new Subscription();
    subscription.add(workloads$.subscribe(() => void this.#attempt(() => this.#readWorkloads())));
    subscription.add(proxies$.subscribe(() => void this.#attempt(this.#options.observe)));
    subscription.add(
      paced$.subscribe((what) => {
        this.#paced = this.#attempt(() => this.#readAndRest(what));
      }),
    );
    return subscription;
  }

  #note(uid: string | undefined): boolean {
    if (uid !== undefined) this.#changed.add(uid);
    return uid !== undefined;
  }

  async #readWorkloads(): Promise<void> {
    const changed = this.#changed;
    this.#changed = new Set();
    if (!(await this.#options.observeWorkloads(changed))) await this.#options.observe();
  }

  async #readAndRest(what: string): Promise<void> {
    const { observe, cpuTimeMs: spent = cpuTimeMs, log } = this.#options;
    log.debug({ what }, "reading the kernel because of a change");
    const before = spent();
    try {
      await observe();
    } finally {
      this.#restsUntil = performance.now() + REST * (spent() - before);
    }
  }

  async #attempt(read: () => Promise<void>): Promise<void> {
    try {
      await read();
    } catch (error) {
      this.#options.log.error({ err: error }, "the kernel could not be read back");
    }
  }
}
