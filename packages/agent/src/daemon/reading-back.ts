import { type EventRecord, subjects, workloadUid } from "@millrace/core";
import { audit, auditTime, filter, merge, type Observable, Subscription, timer } from "rxjs";
import type { Logger } from "../logging/logger.ts";

/** How soon after a change the kernel is read back, so that the status tells what is there; once in this time at the most. */
const READ_BACK_MS = 500;

/**
 * The node's addresses change with every pod whose host interface has one of its own (fe80::/10): reading everything for that takes no more
 * than one part in so many of the time.
 */
const REST = 50;

export interface ReadingBackOptions {
  readonly records$: Observable<EventRecord>;
  /** Reads everything. */
  readonly observe: () => Promise<void>;
  /** Reads these alone; false where that cannot be done. */
  readonly observeWorkloads: (uids: ReadonlySet<string>) => Promise<boolean>;
  /** How long it took to read everything the last time. */
  readonly lastDurationMs: () => number;
  readonly log: Logger;
}

/**
 * Reads back what was done. What concerns one workload costs the reading of that workload: on a node with many, each that comes or goes
 * would otherwise be answered by reading all of them.
 */
export class ReadingBack {
  readonly #options: ReadingBackOptions;
  #changed = new Set<string>();

  constructor(options: ReadingBackOptions) {
    this.#options = options;
  }

  start(): Subscription {
    const { records$, lastDurationMs } = this.#options;
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
      audit(() => timer(Math.max(READ_BACK_MS, REST * lastDurationMs()))),
    );
    const subscription = new Subscription();
    subscription.add(workloads$.subscribe(() => void this.#attempt(() => this.#readWorkloads())));
    subscription.add(merge(proxies$, node$).subscribe(() => void this.#attempt(this.#options.observe)));
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

  async #attempt(read: () => Promise<void>): Promise<void> {
    try {
      await read();
    } catch (error) {
      this.#options.log.error({ err: error }, "the kernel could not be read back");
    }
  }
}
