import { LibbpfError, ownError } from "./errors.ts";
import { type MapHandle, type NativeBatch, native } from "./native.ts";

/** One system call fetches at most this many entries, and about this many bytes. */
const BATCH_ENTRIES = 1024;
const BATCH_BYTES = 4 * 1024 * 1024;

interface Shape {
  readonly keySize: number;
  readonly maxEntries: number;
}

/** All entries; `valueLength` is what one lookup returns, all CPUs' values in a per-CPU map. */
export function* readEntries(map: MapHandle, shape: Shape, valueLength: number): Generator<[Uint8Array, Uint8Array]> {
  const { keySize } = shape;
  const cursor = new Uint8Array(Math.max(keySize, 4));
  let count = firstCount(shape, valueLength);
  let seen = 0;
  for (let first = true; ; ) {
    const batch = fetchBatch(map, cursor, first, count);
    if (batch === "unsupported") return yield* readOneByOne(map, keySize);
    if (batch === "bucket too big") {
      if (count >= shape.maxEntries)
        throw ownError("ERR_ITERATION", "a bucket of the map is larger than the whole map");
      count = Math.min(count * 4, shape.maxEntries);
      continue;
    }
    for (let i = 0; i < batch.count; i++) {
      const value = batch.values.subarray(i * valueLength, (i + 1) * valueLength);
      yield [batch.keys.subarray(i * keySize, (i + 1) * keySize), value];
    }
    seen += batch.count;
    if (batch.done) return;
    // A cursor that is a key (LPM tries) starts over when that key is deleted meanwhile.
    if (seen > 2 * shape.maxEntries)
      throw ownError("ERR_ITERATION", "the map changed too much while it was read; read again");
    first = false;
  }
}

/** All keys, in one go. */
export function* readKeys(map: MapHandle, keySize: number): Generator<Uint8Array> {
  const packed = native.mapKeys(map);
  // A walk that started over, because the key it stood at was deleted, meets keys again.
  const seen = new Set<string>();
  for (let at = 0; at < packed.length; at += keySize) {
    const key = packed.subarray(at, at + keySize);
    const name = Buffer.from(key).toString("latin1");
    if (seen.has(name)) continue;
    seen.add(name);
    yield key;
  }
}

function* readOneByOne(map: MapHandle, keySize: number): Generator<[Uint8Array, Uint8Array]> {
  for (const key of readKeys(map, keySize)) {
    const value = native.mapLookup(map, key);
    if (value !== undefined) yield [key, value];
  }
}

function firstCount({ maxEntries }: Shape, valueLength: number): number {
  const fits = Math.floor(BATCH_BYTES / Math.max(valueLength, 1));
  return Math.max(1, Math.min(maxEntries, BATCH_ENTRIES, fits));
}

function fetchBatch(
  map: MapHandle,
  cursor: Uint8Array,
  first: boolean,
  count: number,
): NativeBatch | "unsupported" | "bucket too big" {
  try {
    return native.mapLookupBatch(map, cursor, first, count) ?? "unsupported";
  } catch (error) {
    // A hash hands out whole buckets: __htab_map_lookup_and_delete_batch() in kernel/bpf/hashtab.c.
    if (error instanceof LibbpfError && error.code === "ENOSPC") return "bucket too big";
    throw error;
  }
}
