import { type Backoff, errorCode, KeyedQueue } from "@millrace/core/internal";
import { ApiStatusError } from "@millrace/watchers";
import { describeError } from "../logging/describe-error.ts";
import type { Logger } from "../logging/logger.ts";

/** The three things that the agent writes into the cluster. */
export const WRITES = ["annotation", "event", "taint"] as const;
export type WriteKind = (typeof WRITES)[number];

/** Results by kind: `success`, `HTTP_<status>` or an error's code. Counters only ever count up. */
export type WriteCounts = Readonly<Record<WriteKind, Readonly<Record<string, number>>>>;

/** Nobody waits for a write: a second for what a moment mends, minutes for what people have to. */
const BACKOFF: Backoff = { baseMs: 1_000, capMs: 300_000 };

/** A write may take so long in all. */
const DEADLINE_MS = 15_000;

/** Few at once: nobody waits for these, and the API server has others to serve. */
const CONCURRENCY = 2;

export interface ApiWritesOptions {
  readonly kind: WriteKind;
  readonly log: Logger;
  /**
   * Brings what the key names to what is wanted, as of now; resolves to whether there was something to write. A rejection means: later
   * again.
   */
  readonly write: (key: string, signal: AbortSignal) => Promise<boolean>;
  readonly backoff?: Backoff;
}

/**
 * Writes into the cluster, key by key: what is wanted when the turn comes counts, whatever was wanted when it was asked for. Whatever the API
 * server does costs nobody but the write itself; a failure is logged once for each code.
 */
export class ApiWrites implements AsyncDisposable {
  readonly #options: ApiWritesOptions;
  readonly #queue: KeyedQueue;
  readonly #stop = new AbortController();
  readonly #counts: Record<string, number> = {};
  readonly #logged = new Set<string>();

  constructor(options: ApiWritesOptions) {
    this.#options = options;
    this.#queue = new KeyedQueue({
      run: (key) => this.#run(key),
      retryDue: async (key) => this.#queue.add(key),
      backoff: options.backoff ?? BACKOFF,
      concurrency: CONCURRENCY,
    });
  }

  get counts(): Readonly<Record<string, number>> {
    return this.#counts;
  }

  add(key: string): void {
    this.#queue.add(key);
  }

  async #run(key: string): Promise<void> {
    const { kind, log, write } = this.#options;
    try {
      const wrote = await write(key, AbortSignal.any([this.#stop.signal, AbortSignal.timeout(DEADLINE_MS)]));
      if (!wrote) return;
      this.#count("success");
      if (this.#logged.size > 0) log.info({ kind }, "writing into the cluster works again");
      this.#logged.clear();
    } catch (error) {
      if (this.#stop.signal.aborted) return;
      const code = error instanceof ApiStatusError ? `HTTP_${error.status}` : errorCode(error);
      this.#count(code);
      // An API server that is away would fill the log with every try of every key.
      if (!this.#logged.has(code))
        log.warn({ kind, key, code, problem: describeError(error).message }, "writing into the cluster failed");
      this.#logged.add(code);
      throw error;
    }
  }

  #count(result: string): void {
    this.#counts[result] = (this.#counts[result] ?? 0) + 1;
  }

  /** Gives up what is under way. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#queue.close();
  }
}
