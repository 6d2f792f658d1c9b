import { HANDLE } from "./fd-owner.ts";
import type { BpfMap } from "./map.ts";
import { native, type RingHandle } from "./native.ts";
import { unpackRecords } from "./ring-records.ts";

/**
 * Reader of a BPF ring buffer. Records wait in the kernel until the event loop turns; each turn delivers all that wait, up to
 * about 1 MiB, in one call.
 *
 * An open ring buffer keeps the process alive: see {@link RingBuffer.unref}. What `onBatch` throws is an uncaught exception, as
 * with any event.
 */
export class RingBuffer implements Disposable {
  readonly #handle: RingHandle;
  readonly #onBatch: (records: Uint8Array[]) => void;

  private constructor(map: BpfMap, onBatch: (records: Uint8Array[]) => void) {
    this.#onBatch = onBatch;
    this.#handle = native.ringOpen(map[HANDLE], () => this.consume());
  }

  /**
   * Starts to read. The map may be disposed afterwards. Two readers of one ring buffer would steal each other's records.
   * @param map of type `ringbuf`
   * @param onBatch gets the records in order, never none; they are views of one buffer that is theirs alone
   * @throws {LibbpfError} EINVAL (another type of map), ERR_CLOSED
   */
  static open(map: BpfMap, onBatch: (records: Uint8Array[]) => void): RingBuffer {
    return new RingBuffer(map, onBatch);
  }

  /**
   * Delivers what waits now, without waiting for the event loop: records that were submitted with BPF_RB_NO_WAKEUP, or the
   * last ones before disposal.
   * @throws {LibbpfError} ERR_CLOSED
   */
  consume(): void {
    const packed = native.ringConsume(this.#handle);
    if (packed !== undefined) this.#onBatch(unpackRecords(packed));
  }

  /** Keeps the process alive while it is open; so it is from the start. */
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
}
