import { CoreError } from "../errors.ts";
import { canonicalJson } from "../events/canonical-json.ts";
import type { EventRecord } from "../events/event.ts";
import type { Logger } from "../logger.ts";
import { sharesOf } from "./limits.ts";
import type { LogRow } from "./schema.ts";
import { startWriter } from "./writer.ts";
import type { FromWriter } from "./writer-protocol.ts";

export interface EventLogOptions {
  readonly path: string;
  /** Longest that {@link EventLog.append} waits, in milliseconds. */
  readonly appendDeadlineMs: number;
  /** As many rows stay, as far as the other limits allow. */
  readonly keepEvents: number;
  /** Rows older than this go, in days. Default: however old they are, they stay. */
  readonly maxAgeDays?: number;
  /** What the log takes on the disk at most, damaged files aside, in bytes. Default: no limit. */
  readonly maxBytes?: number;
  readonly log: Logger;
  /** Longest that opening waits before the agent goes on without, in milliseconds. Default 5000. */
  readonly openDeadlineMs?: number;
  /** Time before a failed log is opened again, in milliseconds; doubles up to thirty times. Default 1000. */
  readonly retryMs?: number;
  /**
   * Most rows that are held in memory, while the disk is stalled or the log cannot be written, until they can be written late; what comes
   * on top is counted and let go. Default 10000.
   */
  readonly maxWaitingRows?: number;
}

/** `durable`: on disk. `unlogged`: the caller goes on; the rows may still be written late, or a `log.gap` will count them. */
export type Appended = "logged" | "unlogged";

/** The log could not be written: to be said in it before anything new is. */
export interface LogGap {
  /** Rows that are not in it and never will be: those for which there was no room in memory. */
  readonly count: number;
  readonly reason: string;
  /** Highest `seq` in the file or held: the row that tells of the gap comes after it. */
  readonly after: number;
}

export interface EventLogStatus {
  readonly path: string;
  /** `stalled`: a write takes longer than the deadline. `failing`: the log cannot be written. */
  readonly state: "healthy" | "stalled" | "failing";
  /** Events that will not be in the log. */
  readonly lostEvents: number;
  /** Events that are held in memory, to be written once the log can be. */
  readonly heldEvents: number;
  readonly reason?: string;
}

interface Batch {
  readonly rows: readonly LogRow[];
  /** What its first row tells of; undefined while nothing was the matter. */
  readonly gap: Unwritten | undefined;
  late: boolean;
  settle(appended: Appended): void;
}

/** Rows that are not in the file, and the first reason for that: it is the one that explains the rest. */
interface Unwritten {
  readonly reason: string;
  /** The first of them, in order: they go on directly behind the file, and are written before the row that tells of the gap. */
  readonly held: LogRow[];
  /** How many came after those. */
  lost: number;
}

const RETRY_CAP = 30;

/**
 * The event log as the agent sees it: it never throws after it was opened and never makes anybody wait longer than the deadline. Rows go to
 * the writer's thread in order; what cannot be written is held in memory as far as there is room and counted beyond, and {@link gap} says when
 * the log can be written to again.
 */
export class EventLog implements AsyncDisposable {
  readonly #options: Required<EventLogOptions>;
  #writer: ReturnType<typeof startWriter> | undefined;
  readonly #batches = new Map<number, Batch>();
  #nextId = 1;
  #waitingRows = 0;
  #unwritten: Unwritten | undefined;
  /** The file is open and rows may be sent. */
  #open = false;
  #wasOpen = false;
  #lastSeq = 0;
  #bytesSinceSnapshot = 0;
  #failures = 0;
  #retry: NodeJS.Timeout | undefined;
  #closing: (() => void) | undefined;
  #onWritable: () => void = () => {};
  readonly #opening = Promise.withResolvers<void>();

  private constructor(options: EventLogOptions) {
    const { POSITIVE_INFINITY } = Number;
    const limits = { maxAgeDays: POSITIVE_INFINITY, maxBytes: POSITIVE_INFINITY };
    this.#options = { openDeadlineMs: 5000, retryMs: 1000, maxWaitingRows: 10_000, ...limits, ...options };
  }

  /**
   * Opens the log. A file that cannot be opened or is damaged is no error: the agent goes on unlogged, or with a new file.
   * Throws ERR_LOG_NEWER_SCHEMA and ERR_LOG_FOREIGN: such a file is somebody's, and is left alone.
   */
  static async open(options: EventLogOptions): Promise<EventLog> {
    const log = new EventLog(options);
    log.#start();
    const timer = setTimeout(() => {
      log.#keep([], `opening took longer than ${log.#options.openDeadlineMs} ms`);
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

  /** So much was appended since the last snapshot, or since the log was opened, that there should be one: old rows go from one to the next. */
  get wantsSnapshot(): boolean {
    return this.#bytesSinceSnapshot > sharesOf(this.#options).stretch;
  }

  /** Writes rows in order. Resolves when they are in the file, or at the deadline at the latest; never rejects. */
  append(records: readonly EventRecord[]): Promise<Appended> {
    const [first] = records;
    if (first === undefined) return Promise.resolve("logged");
    const rows = records.map(
      ({ seq, time, type, subject, data }): LogRow => [seq, time, type, subject, canonicalJson(data)],
    );
    for (const [, time, type, subject, data] of rows) {
      const bytes = time.length + type.length + subject.length + data.length;
      this.#bytesSinceSnapshot = type === "state.snapshot" ? 0 : this.#bytesSinceSnapshot + bytes;
    }
    const tellsOfGap = first.type === "log.gap";
    const overflow = this.#waitingRows + rows.length > this.#options.maxWaitingRows && this.#waitingRows > 0;
    if (!this.#open || (this.#unwritten !== undefined && !tellsOfGap) || overflow) {
      this.#keep(rows, overflow ? "the disk is too slow" : "the log is not writable");
      return Promise.resolve("unlogged");
    }
    const stalled = this.#isStalled();
    const { promise, resolve } = Promise.withResolvers<Appended>();
    const id = this.#nextId++;
    const batch: Batch = { rows, gap: this.#unwritten, late: stalled, settle: resolve };
    this.#unwritten = undefined;
    this.#batches.set(id, batch);
    this.#waitingRows += rows.length;
    this.#writer?.send({ kind: "append", id, rows: [...(batch.gap?.held ?? []), ...rows] });
    if (stalled) {
      resolve("unlogged");
      return promise;
    }
    const timer = setTimeout(() => {
      batch.late = true;
      const { path, log } = this.#options;
      log.warn({ path, seq: first.seq }, "event log is stalled, going on unlogged");
      resolve("unlogged");
    }, this.#options.appendDeadlineMs);
    return promise.finally(() => clearTimeout(timer));
  }

  /** What has to be said first, once the log can be written to again; undefined while all is well or nothing can be written. */
  gap(): LogGap | undefined {
    const unwritten = this.#unwritten;
    if (unwritten === undefined || !this.#open || this.#batches.size > 0) return undefined;
    this.#letGo(unwritten);
    return { count: unwritten.lost, reason: unwritten.reason, after: unwritten.held.at(-1)?.[0] ?? this.#lastSeq };
  }

  /** Called whenever {@link gap} begins to have something to say. */
  onWritable(listener: () => void): void {
    this.#onWritable = listener;
  }

  status(): EventLogStatus {
    const { path } = this.#options;
    if (this.#unwritten !== undefined) {
      const { lost, held, reason } = this.#unwritten;
      return { path, state: "failing", lostEvents: lost, heldEvents: held.length, reason };
    }
    return { path, state: this.#isStalled() ? "stalled" : "healthy", lostEvents: 0, heldEvents: 0 };
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
    const { path, appendDeadlineMs, keepEvents, maxAgeDays, maxBytes } = this.#options;
    this.#writer = startWriter(
      { path, limits: { keepEvents, maxAgeDays, maxBytes }, busyTimeoutMs: appendDeadlineMs * 2 },
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
        this.#keep([], message.message);
        this.#failed(message.message);
        break;
      case "open-failed":
        this.#keep([], message.reason);
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
      this.#keep([], `damaged (${damage}); moved to ${movedTo}`);
    }
    if (this.#unwritten !== undefined) {
      const { held } = this.#unwritten;
      // A commit whose answer did not arrive: these are in the file.
      if (this.#wasOpen) while ((held[0]?.[0] ?? lastSeq + 1) <= lastSeq) held.shift();
      // A file that was taken away took its rows with it, and what is held does not go on behind another one.
      if (lastSeq < this.#lastSeq) this.#unwritten.lost += this.#lastSeq - lastSeq + held.splice(0).length;
    }
    this.#wasOpen = true;
    this.#lastSeq = lastSeq;
    this.#opening.resolve();
    if (this.gap() !== undefined) this.#onWritable();
  }

  #settle(id: number, failure: string | undefined): void {
    const batch = this.#batches.get(id);
    if (batch === undefined) return;
    this.#batches.delete(id);
    this.#waitingRows -= batch.rows.length;
    const { path, log } = this.#options;
    if (failure === undefined) {
      this.#lastSeq = batch.rows.at(-1)?.[0] ?? this.#lastSeq;
      if (batch.gap !== undefined) {
        const { held, lost } = batch.gap;
        log.warn({ path, lost, late: held.length }, "event log is written to again");
      }
    } else {
      const since = this.#unwritten;
      this.#unwritten = batch.gap ?? since;
      this.#keep(batch.rows, failure);
      // What this batch was to tell of came before anything that was kept since.
      if (batch.gap !== undefined && since !== undefined) {
        batch.gap.held.push(...since.held);
        batch.gap.lost += since.lost;
      }
    }
    batch.settle(failure === undefined ? "logged" : "unlogged");
  }

  /** Rows that could not be written: held for as long as nothing before them is lost and there is room, else counted. */
  #keep(rows: readonly LogRow[], reason: string): void {
    if (this.#unwritten === undefined) {
      this.#unwritten = { reason, held: [], lost: 0 };
      this.#options.log.error({ path: this.#options.path, reason }, "event log cannot be written, going on unlogged");
    }
    const { held, lost } = this.#unwritten;
    if (lost === 0 && held.length + rows.length <= this.#options.maxWaitingRows) held.push(...rows);
    else this.#unwritten.lost += rows.length;
  }

  /** Of what is held, what does not go on directly behind the file. Rows may have been kept before those of a batch that failed later. */
  #letGo(unwritten: Unwritten): void {
    const { held } = unwritten;
    held.sort(([a], [b]) => a - b);
    const broken = held.findIndex(([seq], index) => seq !== this.#lastSeq + 1 + index);
    if (broken >= 0) unwritten.lost += held.splice(broken).length;
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
    if (this.#unwritten === undefined) this.#keep([], reason);
    this.#failed(reason);
  }

  #isStalled(): boolean {
    for (const batch of this.#batches.values()) if (batch.late) return true;
    return false;
  }
}
