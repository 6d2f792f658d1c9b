import { BpfMap } from "libbpf-ts";

export interface MapRate {
  readonly name: string;
  /** Entries. */
  readonly perSecond: number;
  readonly target?: number;
}

const KEY = 8;
const VALUE = 16;
const ENTRIES = 200_000;
const BATCH = 1000;

/** Keys of 8 and values of 16 bytes in a hash of which half is used. */
export function* measureMaps(seconds: number): Generator<MapRate> {
  using map = BpfMap.create({ type: "hash", name: "bench", keySize: KEY, valueSize: VALUE, maxEntries: 2 * ENTRIES });
  const key = new Uint8Array(KEY);
  const number = new DataView(key.buffer);
  const value = new Uint8Array(VALUE);
  const each = (visit: () => void) => {
    for (let i = 0; i < ENTRIES; i++) {
      number.setUint32(0, i, true);
      visit();
    }
    return ENTRIES;
  };
  const budget = seconds / 7;
  yield { name: "update", perSecond: best(budget, () => each(() => map.update(key, value))), target: 1e6 };
  yield { name: "lookup", perSecond: best(budget, () => each(() => map.lookup(key))) };
  const into = new Uint8Array(VALUE);
  yield { name: "lookup into a buffer", perSecond: best(budget, () => each(() => map.lookup(key, into))) };
  const batches = Array.from({ length: ENTRIES / BATCH }, (_, batch) => keys(batch * BATCH));
  const values = new Uint8Array(VALUE * BATCH);
  const update = () => {
    for (const batch of batches) map.updateBatch(batch, values);
    return ENTRIES;
  };
  yield { name: `update, batches of ${BATCH}`, perSecond: best(budget, update), target: 3e6 };
  const read = () => {
    let count = 0;
    for (const _ of map.entries()) count++;
    return count;
  };
  yield { name: "entries()", perSecond: best(budget, read) };
  const remove = () => {
    let count = 0;
    for (const batch of batches) count += map.deleteBatch(batch);
    return count;
  };
  yield { name: `delete, batches of ${BATCH}`, perSecond: best(budget, remove, update) };
}

function keys(from: number): Uint8Array {
  const packed = new Uint8Array(KEY * BATCH);
  const view = new DataView(packed.buffer);
  for (let i = 0; i < BATCH; i++) view.setUint32(i * KEY, from + i, true);
  return packed;
}

/** The best of at least three rounds, which is what the machine can do when nobody else uses it. */
function best(seconds: number, round: () => number, prepare?: () => void): number {
  let rate = 0;
  const end = performance.now() + seconds * 1000;
  for (let rounds = 0; rounds < 3 || performance.now() < end; rounds++) {
    prepare?.();
    const begin = performance.now();
    const count = round();
    rate = Math.max(rate, (count * 1000) / (performance.now() - begin));
  }
  return rate;
}
