import { ApiStatusError, type KubernetesApi } from "@millrace/watchers";
import type { Logger } from "../logging/logger.ts";
import { ApiWrites } from "./api-writes.ts";
import { eventName, eventObject, seriesObject } from "./event-object.ts";
import { EventSeries, type Occurrence, type Series, type SeriesLimits } from "./event-series.ts";
import { namespaceOf } from "./regarding.ts";

export interface EventRecorderOptions {
  readonly api: Pick<KubernetesApi, "create" | "mergePatch">;
  /** Name of this node. */
  readonly node: string;
  readonly log: Logger;
  readonly limits?: Partial<SeriesLimits>;
  /** Time between two looks for series that have to be told. Default 30 s. */
  readonly sweepMs?: number;
}

/** Tries before an Event is let go: client-go's `maxTriesPerEvent`. */
const MAX_TRIES = 12;

/** Writes Kubernetes Events (events.k8s.io/v1). Recording one takes no time and cannot fail. */
export class EventRecorder implements AsyncDisposable {
  readonly #options: EventRecorderOptions;
  readonly #series: EventSeries;
  readonly #writes: ApiWrites;
  readonly #timer: NodeJS.Timeout;
  readonly #tries = new Map<string, number>();
  #serial = 0;

  constructor(options: EventRecorderOptions) {
    this.#options = options;
    this.#series = new EventSeries(options.limits);
    this.#writes = new ApiWrites({ kind: "event", log: options.log, write: (key, signal) => this.#write(key, signal) });
    this.#timer = setInterval(() => {
      for (const { key } of this.#series.sweep(Date.now())) this.#writes.add(key);
    }, options.sweepMs ?? 30_000);
  }

  get counts(): Readonly<Record<string, number>> {
    return this.#writes.counts;
  }

  /** Occurrences that the limits let go. */
  get suppressed(): number {
    return this.#series.suppressed;
  }

  record(occurrence: Occurrence): void {
    const due = this.#series.add(occurrence, Date.now());
    if (due !== undefined) this.#writes.add(due.key);
  }

  async #write(key: string, signal: AbortSignal): Promise<boolean> {
    const series = this.#series.get(key);
    if (series === undefined || !this.#series.isDue(series, Date.now())) return false;
    try {
      const { count } = series;
      if (series.posted === undefined) await this.#post(series, signal);
      else await this.#patch(series, signal);
      series.posted = { count, at: Date.now() };
      this.#tries.delete(key);
      return true;
    } catch (error) {
      const tries = (this.#tries.get(key) ?? 0) + 1;
      this.#tries.set(key, tries);
      if (tries === MAX_TRIES || isFinal(error)) {
        this.#tries.delete(key);
        this.#series.forget(key);
      }
      throw error;
    }
  }

  async #post(series: Series, signal: AbortSignal): Promise<void> {
    const { api, node } = this.#options;
    const { regarding } = series;
    series.name ??= eventName(series, this.#serial++);
    const what = `creating an Event about ${regarding.kind} ${regarding.name}`;
    try {
      await api.create(pathOf(series), eventObject(series, series.name, node), what, signal);
    } catch (error) {
      // The answer to an earlier try was lost on its way.
      if (!hasStatus(error, 409)) throw error;
    }
  }

  async #patch(series: Series, signal: AbortSignal): Promise<void> {
    const what = `telling that the Event ${namespaceOf(series.regarding)}/${series.name} is a series`;
    const path = `${pathOf(series)}/${series.name}`;
    try {
      await this.#options.api.mergePatch(path, { series: seriesObject(series) }, what, signal);
    } catch (error) {
      if (!hasStatus(error, 404)) throw error;
      // Events live for an hour (kube-apiserver `--event-ttl`): it has to be made anew.
      series.name = undefined;
      await this.#post(series, signal);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    await this.#writes[Symbol.asyncDispose]();
  }
}

const pathOf = ({ regarding }: Series): string => `/apis/events.k8s.io/v1/namespaces/${namespaceOf(regarding)}/events`;

const hasStatus = (error: unknown, ...statuses: readonly number[]): boolean =>
  error instanceof ApiStatusError && statuses.includes(error.status);

/** Will not be taken however often it is tried: not valid, or of a namespace that is gone. */
const isFinal = (error: unknown): boolean => hasStatus(error, 400, 404, 413, 422);
