import { HANDLE } from "./fd-owner.ts";
import type { BpfMap } from "./map.ts";
import { native, type RingHandle } from "./native.ts";
import { PackedRecords, unpackRecords } from "./ring-records.ts";

/** Gets the records in order, never none; they are views of one buffer that is theirs alone. */
export type OnBatch = (records: Uint8Array[]) => void | PromiseLike<void>;
/** The same without an object for each record. */
export type OnPackedBatch = (records: PackedRecords) => void | PromiseLike<void>;

/**
 * Reader of a BPF ring buffer. Records wait in the kernel until the event loop turns; each turn delivers all that wait, up to
 * about 1 MiB, in one call.
 *
 * When `onBatch` returns a promise, no further batch comes before it is settled: records wait in the kernel meanwhile, and when the
 * ring is full, the program's own bpf_ringbuf_reserve() or bpf_ringbuf_output() fails, which it should count. So a slow reader
 * costs records and never memory.
 *
 * An open ring buffer keeps the process alive: see {@link RingBuffer.unref}. What `onBatch` throws is an uncaught exception, as
 * with any event, and what its promise is rejected with an unhandled rejection; the ring buffer goes on.
 */
export class RingBuffer implements Disposable {
  readonly #handle: RingHandle;
  readonly #onBatch: (packed: Uint8Array) => void | PromiseLike<void>;
  /** Reasons not to read: a batch that is worked on, a pause that was asked for. */
  #isBusy = false;
  #isPaused = false;

  private constructor(map: BpfMap, onBatch: (packed: Uint8Array) => void | PromiseLike<void>) {
    this.#onBatch = onBatch;
    this.#handle = native.ringOpen(map[HANDLE], () => this.consume());
  }

  /**
   * Starts to read. The map may be disposed afterwards. Two readers of one ring buffer would steal each other's records.
   * @param map of type `ringbuf`
   * @throws {LibbpfError} EINVAL (another type of map), ERR_CLOSED
   */
  static open(map: BpfMap, onBatch: OnBatch): RingBuffer {
    return new RingBuffer(map, (packed) => onBatch(unpackRecords(packed)));
  }

  /**
   * {@link open} for floods of small records: an object for each of them is most of what reading it costs.
   * @throws {LibbpfError} as {@link open}
   */
  static openPacked(map: BpfMap, onBatch: OnPackedBatch): RingBuffer {
    return new RingBuffer(map, (packed) => onBatch(new PackedRecords(packed)));
  }

  /**
   * Delivers what waits now, without waiting for the event loop: records that were submitted with BPF_RB_NO_WAKEUP, or the
   * last ones before disposal. It does nothing while a batch is worked on or the reader is paused.
   * @throws {LibbpfError} ERR_CLOSED
   */
  consume(): void {
    if (this.#isBusy || this.#isPaused) return;
    const packed = native.ringConsume(this.#handle);
    if (packed === undefined) return;
    const work = this.#onBatch(packed);
    if (work !== undefined) this.#await(work);
  }

  /** Reads no more until {@link resume}: records wait in the kernel. */
  pause(): this {
    this.#isPaused = true;
    this.#apply();
    return this;
  }

  resume(): this {
    this.#isPaused = false;
    this.#apply();
    return this;
  }

  /** Keeps the process alive while it is open and reads; so it is from the start. */
  ref(): this {
    native.ringRef(this.#handle, true);
    return this;
  }

  /** Lets the process end although it is open. */
  unref(): this {
    native.ringRef(this.#handle, false);
    return this;
  }

  /** Stops reading; no batch comes after this. Again is harmless. */
  [Symbol.dispose](): void {
    native.ringClose(this.#handle);
  }

  async #await(work: PromiseLike<void>): Promise<void> {
    this.#isBusy = true;
    this.#apply();
    try {
      await work;
    } finally {
      this.#isBusy = false;
      this.#apply();
    }
  }

  #apply(): void {
    native.ringPause(this.#handle, this.#isBusy || this.#isPaused);
  }
}

/**
 * The batches of a ring buffer one after the other: the next one is read when the loop comes back for it. Ending the loop closes the
 * reader.
 *
 * ```ts
 * for await (const records of readRingBuffer(object.map("events"), { signal })) …
 * ```
 * @throws {LibbpfError} EINVAL (another type of map), ERR_CLOSED; and the signal's reason when it is aborted
 */
export async function* readRingBuffer(
  map: BpfMap,
  { signal }: { readonly signal?: AbortSignal } = {},
): AsyncGenerator<Uint8Array[], void, undefined> {
  signal?.throwIfAborted();
  let next = Promise.withResolvers<Uint8Array[]>();
  let taken = () => {};
  using _ring = RingBuffer.open(map, (records) => {
    next.resolve(records);
    return new Promise<void>((resolve) => {
      taken = resolve;
    });
  });
  const abort = () => next.reject(signal?.reason);
  signal?.addEventListener("abort", abort);
  try {
    for (;;) {
      const records = await next.promise;
      next = Promise.withResolvers();
      yield records;
      signal?.throwIfAborted();
      taken();
    }
  } finally {
    signal?.removeEventListener("abort", abort);
  }
}
