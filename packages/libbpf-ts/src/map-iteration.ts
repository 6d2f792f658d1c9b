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
    const batch = fetchBatch(map, cursor, first, count, false);
    if (batch === "unsupported") return yield* readOneByOne(map, keySize);
    if (batch === "bucket too big") {
      count = largerCount(count, shape.maxEntries);
      continue;
    }
    yield* cut(batch, keySize, valueLength);
    seen += batch.count;
    if (batch.done) return;
    // A cursor that is a key (LPM tries) starts over when that key is deleted meanwhile.
    if (seen > 2 * shape.maxEntries)
      throw ownError("ERR_ITERATION", "the map changed too much while it was read; read again");
    first = false;
  }
}

/**
 * Takes the entries out of the map. It ends after as many as the map has room for, whatever programs add meanwhile: an array, so that
 * nobody who stops reading loses what was taken already.
 */
export function takeEntries(map: MapHandle, shape: Shape, valueLength: number): [Uint8Array, Uint8Array][] {
  const { keySize, maxEntries } = shape;
  const cursor = new Uint8Array(Math.max(keySize, 4));
  const taken: [Uint8Array, Uint8Array][] = [];
  let count = firstCount(shape, valueLength);
  for (let first = true; taken.length < maxEntries; ) {
    const batch = fetchBatch(map, cursor, first, count, true);
    if (batch === "unsupported") return takeOneByOne(map, keySize);
    if (batch === "bucket too big") {
      count = largerCount(count, maxEntries);
      continue;
    }
    taken.push(...cut(batch, keySize, valueLength));
    if (batch.done) break;
    first = false;
  }
  return taken;
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

/** Not in one step: a program that writes between the two loses what it wrote. */
function takeOneByOne(map: MapHandle, keySize: number): [Uint8Array, Uint8Array][] {
  return [...readOneByOne(map, keySize)].filter(([key]) => native.mapDelete(map, key));
}

function* cut({ keys, values, count }: NativeBatch, keySize: number, valueLength: number) {
  for (let i = 0; i < count; i++) {
    const value = values.subarray(i * valueLength, (i + 1) * valueLength);
    yield [keys.subarray(i * keySize, (i + 1) * keySize), value] satisfies [Uint8Array, Uint8Array];
  }
}

function largerCount(count: number, maxEntries: number): number {
  if (count >= maxEntries) throw ownError("ERR_ITERATION", "a bucket of the map is larger than the whole map");
  return Math.min(count * 4, maxEntries);
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
  take: boolean,
): NativeBatch | "unsupported" | "bucket too big" {
  try {
    return native.mapLookupBatch(map, cursor, first, count, take) ?? "unsupported";
  } catch (error) {
    // A hash hands out whole buckets: __htab_map_lookup_and_delete_batch() in kernel/bpf/hashtab.c.
    if (error instanceof LibbpfError && error.code === "ENOSPC") return "bucket too big";
    throw error;
  }
}
