import type { Reason } from "./reasons.ts";
import type { Regarding } from "./regarding.ts";
import { TokenBucket } from "./token-bucket.ts";

/** What happened to whom. */
export interface Occurrence {
  readonly regarding: Regarding;
  readonly reason: Reason;
  /** For people; longer ones are cut. */
  readonly note: string;
}

/** One Event object: the same thing that happened once, or again and again. */
export interface Series {
  readonly key: string;
  readonly regarding: Regarding;
  readonly reason: Reason;
  note: string;
  readonly firstAt: number;
  lastAt: number;
  count: number;
  /** Its name in the cluster, from the first try to make it. */
  name: string | undefined;
  /** Set once the API server has it: the count that it was last told, and when. */
  posted: { readonly count: number; readonly at: number } | undefined;
}

export interface SeriesLimits {
  /** Events about one object at once, and the time until one more may come. */
  readonly burst: number;
  readonly refillMs: number;
  /** So many different notes about one object with one reason are told apart; then they become one. */
  readonly similar: number;
  /** A series of which nothing was heard for so long is over: what comes then is a new Event. */
  readonly idleMs: number;
  /** After its second occurrence a series is told at most so often. */
  readonly tellMs: number;
  /** Series that are kept; for one more the oldest is forgotten. */
  readonly kept: number;
}

/**
 * client-go's: at most 25 events about one object, then one every 5 minutes (`tools/record/events_cache.go`, `defaultSpamBurst`,
 * `defaultSpamQPS`); more than 10 similar ones become one (`defaultAggregateMaxEvents`); at most 1000 wait (`tools/events`,
 * `maxQueuedEvents`). A trouble that lasts is told again by us every 10 minutes, so a series ends later than client-go's 6.
 */
export const DEFAULT_LIMITS: SeriesLimits = {
  burst: 25,
  refillMs: 300_000,
  similar: 10,
  idleMs: 1_800_000,
  tellMs: 300_000,
  kept: 1_000,
};

/** Kubernetes takes 1 KiB (`pkg/apis/core/validation/events.go`, `NoteLengthLimit`). */
const NOTE_BYTES = 1024;
const COMBINED = "(combined from similar events): ";

interface Similar {
  readonly notes: Set<string>;
  lastAt: number;
}

/**
 * Makes few Events of many occurrences, as client-go's EventRecorder does: the same again is a series, similar ones become one, and who is
 * told about too often is told about less. Pure but for what it remembers; times are milliseconds since the epoch.
 */
export class EventSeries {
  readonly #limits: SeriesLimits;
  readonly #series = new Map<string, Series>();
  readonly #similar = new Map<string, Similar>();
  readonly #buckets = new Map<string, TokenBucket>();
  /** Occurrences that the limits let go. */
  suppressed = 0;

  constructor(limits: Partial<SeriesLimits> = {}) {
    this.#limits = { ...DEFAULT_LIMITS, ...limits };
  }

  /** Takes an occurrence in; the series that has to be told because of it now, if one has. */
  add({ regarding, reason, note }: Occurrence, now: number): Series | undefined {
    const object = `${regarding.kind}/${regarding.uid}`;
    if (!this.#bucket(object, now).take(now)) {
      this.suppressed += 1;
      return undefined;
    }
    const said = this.#said(`${object}/${reason}`, cut(note), now);
    const series = this.#series.get(said.key);
    if (series === undefined) {
      const made = { key: said.key, regarding, reason, note: said.note, firstAt: now, lastAt: now, count: 1 };
      return this.#keep({ ...made, name: undefined, posted: undefined });
    }
    series.note = said.note;
    series.lastAt = now;
    series.count += 1;
    return this.isDue(series, now) ? series : undefined;
  }

  get(key: string): Series | undefined {
    return this.#series.get(key);
  }

  /** What the API server does not have yet, as far as it is time to tell it. */
  isDue({ posted, count }: Series, now: number): boolean {
    if (posted === undefined) return true;
    return posted.count < count && (posted.count === 1 || now - posted.at >= this.#limits.tellMs);
  }

  /** Forgets what is over; the series that have to be told now. To be called from time to time. */
  sweep(now: number): Series[] {
    const { idleMs } = this.#limits;
    for (const [key, { lastAt }] of this.#similar) if (now - lastAt > idleMs) this.#similar.delete(key);
    for (const [key, bucket] of this.#buckets) if (bucket.isFull(now)) this.#buckets.delete(key);
    const due: Series[] = [];
    for (const [key, series] of this.#series) {
      if (this.isDue(series, now)) due.push(series);
      else if (now - series.lastAt > idleMs) this.#series.delete(key);
    }
    return due;
  }

  forget(key: string): void {
    this.#series.delete(key);
  }

  #keep(series: Series): Series {
    if (this.#series.size >= this.#limits.kept) {
      const [oldest] = this.#series.keys();
      if (oldest !== undefined) this.#series.delete(oldest);
      this.suppressed += 1;
    }
    this.#series.set(series.key, series);
    return series;
  }

  #bucket(object: string, now: number): TokenBucket {
    const { burst, refillMs } = this.#limits;
    const bucket = this.#buckets.get(object) ?? new TokenBucket(burst, refillMs, now);
    this.#buckets.set(object, bucket);
    return bucket;
  }

  #said(subject: string, note: string, now: number): { key: string; note: string } {
    const similar = this.#similar.get(subject) ?? { notes: new Set(), lastAt: now };
    if (now - similar.lastAt > this.#limits.idleMs) similar.notes.clear();
    similar.lastAt = now;
    this.#similar.set(subject, similar);
    if (similar.notes.size < this.#limits.similar || similar.notes.has(note)) {
      similar.notes.add(note);
      return { key: `${subject}/${note}`, note };
    }
    return { key: subject, note: cut(`${COMBINED}${note}`) };
  }
}

/** At a character, not in the middle of one. */
function cut(note: string): string {
  const bytes = Buffer.from(note);
  if (bytes.length <= NOTE_BYTES) return note;
  return `${new TextDecoder().decode(bytes.subarray(0, NOTE_BYTES - 6), { stream: true })}…`;
}
