import { expect, test } from "vitest";
import { BpfMap, type MapOptions, possibleCpus } from "./map.ts";
import { joinPerCpu } from "./per-cpu.ts";
import { readU32, u32, u64 } from "./testing/kernel.ts";

function create(type: MapOptions["type"], more: Partial<MapOptions> = {}): BpfMap {
  return BpfMap.create({ type, name: "test", keySize: 4, valueSize: 8, maxEntries: 4096, ...more });
}

const packed = (parts: readonly Uint8Array[]) => new Uint8Array(Buffer.concat(parts));
const numbers = (count: number) => Array.from({ length: count }, (_, n) => n);
/** Keys 0 to `count`, each with its double. */
const keysOf = (count: number) => packed(numbers(count).map((n) => u32(n)));
const doublesOf = (count: number) => packed(numbers(count).map((n) => u64(n * 2)));
const keysIn = (map: BpfMap) => [...map.keys()].map((key) => readU32(key)).sort((a, b) => a - b);

test.for(["hash", "lru_hash", "array"] as const)("%s: many values by one call", (type) => {
  using map = create(type);
  map.updateBatch(keysOf(3000), doublesOf(3000));
  expect(map.lookup(u32(2999))).toEqual(u64(5998));
  expect([...map.entries()].filter(([, value]) => readU32(value) > 0)).toHaveLength(2999);
});

test("an update mode is kept, and the error tells how far it came", () => {
  using map = create("hash");
  map.update(u32(2), u64(99));
  const fill = () => map.updateBatch(keysOf(5), doublesOf(5), "noexist");
  expect(fill).toThrow(expect.objectContaining({ code: "EEXIST", syscall: "bpf_map_update_elem", count: 2 }));
  expect(keysIn(map)).toEqual([0, 1, 2]);
  expect(map.lookup(u32(2))).toEqual(u64(99));
  expect(() => map.updateBatch(keysOf(5), doublesOf(5), "exist")).toThrow(
    expect.objectContaining({ code: "ENOENT", count: 3 }),
  );
});

test("a map that gets full: the error tells how many are in it", () => {
  using map = create("hash", { maxEntries: 10 });
  expect(() => map.updateBatch(keysOf(20), doublesOf(20))).toThrow(
    expect.objectContaining({ code: "E2BIG", syscall: "bpf_map_update_batch", count: 10 }),
  );
  expect(keysIn(map)).toEqual(numbers(10));
});

test("kinds of maps without batches are written entry by entry", () => {
  using queue = create("queue", { keySize: 0, valueSize: 4 });
  expect(() => queue.updateBatch(new Uint8Array(), u32(1))).toThrow(RangeError);
  using inner = create("array");
  using outer = create("array_of_maps", { valueSize: 4, innerMap: inner });
  outer.updateBatch(keysOf(3), packed(numbers(3).map(() => u32(inner.fd))));
  expect(readU32(outer.lookup(u32(2)))).toBe(inner.info.id);
});

test("deleteBatch passes over keys that are not there", () => {
  using map = create("hash");
  map.updateBatch(keysOf(100), doublesOf(100));
  const some = [5, 1000, 6, 7, 1001, 1002, 99, 5].map((n) => u32(n));
  expect(map.deleteBatch(packed(some))).toBe(4);
  expect(keysIn(map)).toEqual(numbers(100).filter((n) => ![5, 6, 7, 99].includes(n)));
  expect(map.deleteBatch(new Uint8Array())).toBe(0);
  using array = create("array");
  expect(() => array.deleteBatch(u32(1))).toThrow(expect.objectContaining({ code: "EINVAL", count: 0 }));
});

test("deleteBatch of an LPM trie", () => {
  using map = create("lpm_trie", { keySize: 8, flags: 1 });
  const key = (length: number, ...address: number[]) => Uint8Array.of(length, 0, 0, 0, ...address);
  const keys = [key(8, 198, 0, 0, 0), key(16, 198, 18, 0, 0), key(24, 198, 18, 1, 0)];
  map.updateBatch(packed(keys), packed(keys.map(() => u64(1))));
  expect(map.deleteBatch(packed([key(9, 1, 0, 0, 0), ...keys.slice(1)]))).toBe(2);
  expect([...map.keys()]).toEqual(keys.slice(0, 1));
});

test("take() returns a value that is gone then", () => {
  using map = create("hash");
  map.update(u32(1), u64(10));
  expect(map.take(u32(1))).toEqual(u64(10));
  expect(map.take(u32(1))).toBeUndefined();
  expect([...map.keys()]).toEqual([]);
});

test.for([
  ["queue", [1, 2, 3]],
  ["stack", [3, 2, 1]],
] as const)("%s: take() is pop", ([type, order]) => {
  using map = create(type, { keySize: 0, valueSize: 4 });
  const none = new Uint8Array();
  for (const n of [1, 2, 3]) map.update(none, u32(n));
  expect(numbers(4).map(() => map.take(none))).toEqual([...order.map((n) => u32(n)), undefined]);
});

test.for(["hash", "lpm_trie"] as const)("%s: drain() empties the map into an array", (type) => {
  using map = create(type, { flags: type === "lpm_trie" ? 1 : 0, keySize: 8 });
  const keys = numbers(2000).map((n) => Uint8Array.of(32, 0, 0, 0, 198, 18, n >> 8, n & 0xff));
  map.updateBatch(packed(keys), doublesOf(2000));
  const drained = map.drain();
  expect(drained).toHaveLength(2000);
  expect(drained.every(([key, value]) => (((key[6] ?? 0) << 8) | (key[7] ?? 0)) * 2 === readU32(value))).toBe(true);
  expect([...map.keys()]).toEqual([]);
  expect(map.drain()).toEqual([]);
});

test("drain() of an array is refused", () => {
  using map = create("array", { maxEntries: 2 });
  expect(() => map.drain()).toThrow(expect.objectContaining({ code: "EINVAL" }));
});

test("per-CPU maps: batches hold the values of all CPUs", () => {
  using map = create("percpu_hash", { valueSize: 4 });
  const values = numbers(possibleCpus()).map((cpu) => u32(cpu + 1));
  map.updateBatch(keysOf(3), packed(numbers(3).map(() => joinPerCpu(values, 4))));
  expect(map.lookupPerCpu(u32(2))).toEqual(values);
  expect(() => map.take(u32(2))).toThrow(expect.objectContaining({ code: "ERR_PER_CPU" }));
  expect(() => map.drain()).toThrow(expect.objectContaining({ code: "ERR_PER_CPU" }));
  const drained = map.drainPerCpu();
  expect(drained.map(([key]) => readU32(key)).sort()).toEqual([0, 1, 2]);
  expect(drained.map(([, each]) => each)).toEqual([values, values, values]);
  expect([...map.keys()]).toEqual([]);
});

test.for([
  ["a key short of a byte", 11, 24],
  ["a value too many", 12, 32],
  ["no values", 12, 0],
  ["values that are no multiple", 12, 23],
] as const)("packed bytes are whole entries: %s", ([, keys, values]) => {
  using map = create("hash");
  expect(() => map.updateBatch(new Uint8Array(keys), new Uint8Array(values))).toThrow(
    expect.objectContaining({ name: "RangeError", code: "ERR_OUT_OF_RANGE" }),
  );
  expect([...map.keys()]).toEqual([]);
});
