import type { InstallState } from "@millrace/cni-install";
import type { EventRecord, QueueStatus } from "@millrace/core/internal";
import type { CniAnswer, WatchStatistics } from "@millrace/watchers";
import { collectDefaultMetrics, Registry } from "prom-client";
import type { Observable, Subscription } from "rxjs";
import type { Condition } from "../http/readiness.ts";
import type { WriteCounts } from "../kubernetes/api-writes.ts";
import type { Status } from "../status/status-document.ts";
import { agentMetrics } from "./agent-metrics.ts";
import { cniMetrics } from "./cni-metrics.ts";
import { eventLogMetrics } from "./event-log-metrics.ts";
import { eventMetrics } from "./event-metrics.ts";
import { mapMetrics } from "./map-metrics.ts";
import { podMetrics } from "./pod-metrics.ts";
import { queueMetrics } from "./queue-metrics.ts";
import { watchMetrics } from "./watch-metrics.ts";
import { writeMetrics } from "./write-metrics.ts";

/** What the agent is, as of one scrape. */
export interface Reading {
  readonly status: Status;
  readonly conditions: readonly Condition[];
  /** Members whose redirection was last found to differ from what was applied. */
  readonly drifted: number;
  readonly queue: QueueStatus;
  readonly watches: readonly WatchStatistics[];
  /** Undefined where the agent does not install the CNI plugin, or has not looked yet. */
  readonly install: InstallState | undefined;
  /** Of the event log's files together. */
  readonly eventLogBytes: number;
  readonly writes: WriteCounts;
}

export interface MetricSources {
  readonly read: () => Reading;
  readonly records$: Observable<EventRecord>;
  readonly cniAnswers$: Observable<CniAnswer>;
}

/** A group of metrics that are set from a reading. */
export type Refresh = (reading: Reading) => void;

/** The event loop's delay is sampled this often: the library's 10 ms would wake an idle agent 100 times a second. */
const LOOP_SAMPLE_MS = 100;

/**
 * All that Prometheus is told; docs/operating.md names each. What happens is counted as it happens; everything else is read when
 * somebody asks, so that nothing can be forgotten when it goes.
 */
export class Metrics implements Disposable {
  readonly #registry = new Registry();
  readonly #read: () => Reading;
  readonly #refreshes: readonly Refresh[];
  readonly #subscriptions: readonly Subscription[];

  constructor({ read, records$, cniAnswers$ }: MetricSources) {
    const register = this.#registry;
    this.#read = read;
    collectDefaultMetrics({ register, eventLoopMonitoringPrecision: LOOP_SAMPLE_MS });
    const cni = cniMetrics(register);
    this.#refreshes = [
      agentMetrics(register),
      podMetrics(register),
      mapMetrics(register),
      queueMetrics(register),
      watchMetrics(register),
      eventLogMetrics(register),
      writeMetrics(register),
      cni.refresh,
    ];
    this.#subscriptions = [records$.subscribe(eventMetrics(register)), cniAnswers$.subscribe(cni.answered)];
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** The labels of each metric by its name, without those that tell of the process and of Node. */
  get labelNames(): ReadonlyMap<string, readonly string[]> {
    const own = this.#registry.getMetricsAsArray().filter(({ name }) => name.startsWith("millrace_"));
    // In the library's objects, but not in its types.
    return new Map(own.map((metric) => [metric.name, (metric as unknown as { labelNames: string[] }).labelNames]));
  }

  /** The text exposition format. */
  async render(): Promise<string> {
    const reading = this.#read();
    for (const refresh of this.#refreshes) refresh(reading);
    return this.#registry.metrics();
  }

  [Symbol.dispose](): void {
    for (const subscription of this.#subscriptions) subscription.unsubscribe();
    this.#registry.clear();
  }
}
