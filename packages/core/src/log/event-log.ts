import { CoreError } from "../errors.ts";
import { canonicalJson } from "../events/canonical-json.ts";
import type { EventRecord } from "../events/event.ts";
import type { Logger } from "../logger.ts";
import { startWriter } from "./writer.ts";
import type { FromWriter } from "./writer-protocol.ts";

export interface EventLogOptions {
  readonly path: string;
  /** Longest that {@link EventLog.append} waits, in milliseconds. */
  readonly appendDeadlineMs: number;
  readonly keepEvents: number;
  readonly log: Logger;
  /** Longest that opening waits before the agent goes on without, in milliseconds. Default 5000. */
  readonly openDeadlineMs?: number;
  /** Time before a failed log is opened again, in milliseconds; doubles up to thirty times. Default 1000. */
  readonly retryMs?: number;
  /** Most rows that wait for a stalled disk; what comes on top is counted and let go. Default 10000. */
  readonly maxWaitingRows?: number;
}

/** `durable`: on disk. `unlogged`: the caller goes on; the rows may still be written late, or a `log.gap` will count them. */
export type Durability = "durable" | "unlogged";

/** Rows that are not in the log, to be said in it before anything else is written. */
export interface LogGap {
  readonly count: number;
  readonly reason: string;
  /** Highest `seq` in the file: the row that tells of the gap comes after it. */
  readonly after: number;
}

export interface EventLogStatus {
  readonly path: string;
  /** `stalled`: a write takes longer than the deadline. `failing`: rows are being lost. */
  readonly state: "healthy" | "stalled" | "failing";
  readonly lostEvents: number;
  readonly reason?: string;
}

interface Batch {
  readonly first: number;
  readonly last: number;
  readonly gap: Lost | undefined;
  late: boolean;
  settle(durability: Durability): void;
}

/** Rows that are not in the file, and the first reason for that: it is the one that explains the rest. */
interface Lost {
  count: number;
  readonly reason: string;
}

const RETRY_CAP = 30;

/**
 * The event log as the agent sees it: it never throws after it was opened and never makes anybody wait longer than the deadline. Rows go to
 * the writer's thread in order; what cannot be written is counted, and {@link gap} says when the log can be written to again.
 */
export class EventLog implements AsyncDisposable {
  readonly #options: Required<EventLogOptions>;
  #writer: ReturnType<typeof startWriter> | undefined;
  readonly #batches = new Map<number, Batch>();
  #nextId = 1;
  #waitingRows = 0;
  #lost: Lost | undefined;
  /** The file is open and rows may be sent. */
  #open = false;
  #lastSeq = 0;
  #failures = 0;
  #retry: NodeJS.Timeout | undefined;
  #closing: (() => void) | undefined;
  #onWritable: () => void = () => {};
  readonly #opening = Promise.withResolvers<void>();

  private constructor(options: EventLogOptions) {
    this.#options = { openDeadlineMs: 5000, retryMs: 1000, maxWaitingRows: 10_000, ...options };
  }

  /**
   * Opens the log. A file that cannot be opened or is damaged is no error: the agent goes on unlogged, or with a new file.
   * Throws ERR_LOG_NEWER_SCHEMA and ERR_LOG_FOREIGN: such a file is somebody's, and is left alone.
   */
  static async open(options: EventLogOptions): Promise<EventLog> {
    const log = new EventLog(options);
    log.#start();
    const timer = setTimeout(() => {
      log.#note(0, `opening took longer than ${log.#options.openDeadlineMs} ms`);
      log.#opening.resolve();
    }, log.#options.openDeadlineMs);
    try {
      await log.#opening.promise;
    } catch (error) {
      log.#writer?.terminate();
      throw error;
    } finally {
      clearTimeout(timer);
    }
    return log;
  }

  /** Highest `seq` in the file when it was last opened or written: the next row is one more. */
  get lastSeq(): number {
    return this.#lastSeq;
  }

  /** Writes rows in order. Resolves when they are durable, or at the deadline at the latest; never rejects. */
  append(records: readonly EventRecord[]): Promise<Durability> {
    const [first, last] = [records[0], records.at(-1)];
    if (first === undefined || last === undefined) return Promise.resolve("durable");
    const tellsOfGap = first.type === "log.gap";
    const overflow = this.#waitingRows + records.length > this.#options.maxWaitingRows && this.#waitingRows > 0;
    if (!this.#open || (this.#lost !== undefined && !tellsOfGap) || overflow) {
      this.#note(records.length, overflow ? "the disk is too slow" : "the log is not writable");
      return Promise.resolve("unlogged");
    }
    const stalled = this.#isStalled();
    const { promise, resolve } = Promise.withResolvers<Durability>();
    const id = this.#nextId++;
    const batch: Batch = { first: first.seq, last: last.seq, gap: this.#lost, late: stalled, settle: resolve };
    this.#lost = undefined;
    this.#batches.set(id, batch);
    this.#waitingRows += records.length;
    this.#writer?.send({
      kind: "append",
      id,
      rows: records.map(({ seq, time, type, subject, data }) => [seq, time, type, subject, canonicalJson(data)]),
    });
    if (stalled) {
      resolve("unlogged");
      return promise;
    }
    const timer = setTimeout(() => {
      batch.late = true;
      this.#options.log.warn({ path: this.#options.path, seq: batch.first }, "event log is stalled, going on unlogged");
      resolve("unlogged");
    }, this.#options.appendDeadlineMs);
    return promise.finally(() => clearTimeout(timer));
  }

  /** What has to be said first, once the log can be written to again; undefined while nothing is lost or nothing can be written. */
  gap(): LogGap | undefined {
    if (this.#lost === undefined || !this.#open || this.#batches.size > 0) return undefined;
    return { count: this.#lost.count, reason: this.#lost.reason, after: this.#lastSeq };
  }

  /** Called whenever {@link gap} begins to have something to say. */
  onWritable(listener: () => void): void {
    this.#onWritable = listener;
  }

  status(): EventLogStatus {
    const { path } = this.#options;
    const lostEvents = this.#lost?.count ?? 0;
    if (this.#lost !== undefined) return { path, state: "failing", lostEvents, reason: this.#lost.reason };
    return { path, state: this.#isStalled() ? "stalled" : "healthy", lostEvents };
  }

  /** Writes what waits and closes the file; gives up after the deadline, as the disk may be stuck. */
  async [Symbol.asyncDispose](): Promise<void> {
    clearTimeout(this.#retry);
    if (this.#writer === undefined || this.#closing !== undefined) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#closing = resolve;
    const timer = setTimeout(resolve, this.#options.appendDeadlineMs * 2);
    this.#writer.send({ kind: "close" });
    await promise;
    clearTimeout(timer);
    this.#writer?.terminate();
    for (const batch of this.#batches.values()) batch.settle("unlogged");
    this.#open = false;
  }

  #start(): void {
    const { path, appendDeadlineMs, keepEvents } = this.#options;
    this.#writer = startWriter(
      { path, keepEvents, busyTimeoutMs: appendDeadlineMs * 2 },
      (message) => this.#heard(message),
      (reason) => this.#died(reason),
    );
  }

  #heard(message: FromWriter): void {
    switch (message.kind) {
      case "opened":
        this.#opened(message);
        break;
      case "refused":
        this.#opening.reject(new CoreError(message.code, message.message));
        this.#note(0, message.message);
        this.#failed(message.message);
        break;
      case "open-failed":
        this.#note(0, message.reason);
        this.#opening.resolve();
        this.#failed(message.reason);
        break;
      case "committed":
        for (const id of message.ids) this.#settle(id, undefined);
        this.#failures = 0;
        if (this.gap() !== undefined) this.#onWritable();
        break;
      case "failed":
        for (const id of message.ids) this.#settle(id, message.reason);
        this.#failed(message.reason);
        break;
      case "closed":
        this.#closing?.();
        break;
    }
  }

  #opened({ lastSeq, movedTo, damage }: Extract<FromWriter, { kind: "opened" }>): void {
    const { path, log } = this.#options;
    this.#open = true;
    if (movedTo !== undefined) {
      log.error({ path, movedTo, damage }, "event log was damaged: moved aside, beginning a new one");
      this.#note(0, `damaged (${damage}); moved to ${movedTo}`);
    }
    // A file that was taken away took its rows with it.
    if (this.#lost !== undefined) this.#lost.count += Math.max(0, this.#lastSeq - lastSeq);
    this.#lastSeq = lastSeq;
    this.#opening.resolve();
    if (this.gap() !== undefined) this.#onWritable();
  }

  #settle(id: number, failure: string | undefined): void {
    const batch = this.#batches.get(id);
    if (batch === undefined) return;
    this.#batches.delete(id);
    this.#waitingRows -= batch.last - batch.first + 1;
    if (failure === undefined) {
      this.#lastSeq = batch.last;
      if (batch.gap !== undefined) {
        this.#options.log.warn({ path: this.#options.path, lost: batch.gap.count }, "event log is written to again");
      }
    } else {
      if (batch.gap !== undefined) this.#note(batch.gap.count, batch.gap.reason);
      this.#note(batch.last - batch.first + 1, failure);
    }
    batch.settle(failure === undefined ? "durable" : "unlogged");
  }

  /** Counts rows that will not be in the file. */
  #note(count: number, reason: string): void {
    if (this.#lost === undefined) {
      this.#lost = { count, reason };
      this.#options.log.error({ path: this.#options.path, reason }, "event log cannot be written, going on unlogged");
    } else {
      this.#lost.count += count;
    }
  }

  #failed(reason: string): void {
    this.#open = false;
    if (this.#closing !== undefined) return;
    clearTimeout(this.#retry);
    const delay = this.#options.retryMs * Math.min(2 ** this.#failures++, RETRY_CAP);
    this.#options.log.debug({ path: this.#options.path, reason, delay }, "event log will be opened again");
    this.#retry = setTimeout(() => {
      if (this.#writer === undefined) this.#start();
      else this.#writer.send({ kind: "open" });
    }, delay);
    this.#retry.unref();
  }

  #died(reason: string): void {
    this.#writer = undefined;
    for (const id of [...this.#batches.keys()]) this.#settle(id, reason);
    this.#opening.resolve();
    this.#closing?.();
    if (this.#lost === undefined) this.#note(0, reason);
    this.#failed(reason);
  }

  #isStalled(): boolean {
    for (const batch of this.#batches.values()) if (batch.late) return true;
    return false;
  }
}
