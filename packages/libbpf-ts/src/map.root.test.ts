import { expect, test } from "vitest";
import { BpfMap, type MapOptions, possibleCpus } from "./map.ts";
import { BpfProgram } from "./program.ts";
import { readU32, u32, u64 } from "./testing/kernel.ts";
import { TestBpffs } from "./testing/test-bpffs.ts";

function create(type: MapOptions["type"], more: Partial<MapOptions> = {}): BpfMap {
  return BpfMap.create({ type, name: "test", keySize: 4, valueSize: 8, maxEntries: 8, ...more });
}

function contents(map: BpfMap): Map<number, string> {
  return new Map([...map.entries()].map(([key, value]) => [readU32(key), value.toString()]));
}

test.for(["hash", "lru_hash"] as const)("%s: update, lookup, modes, delete, entries", (type) => {
  using map = create(type);
  expect(map.lookup(u32(1))).toBeUndefined();
  expect(() => map.update(u32(1), u64(1), "exist")).toThrow(expect.objectContaining({ code: "ENOENT" }));
  map.update(u32(1), u64(10), "noexist");
  expect(() => map.update(u32(1), u64(11), "noexist")).toThrow(expect.objectContaining({ code: "EEXIST" }));
  map.update(u32(1), u64(12));
  map.update(u32(2), u64(20));
  expect(map.lookup(u32(1))).toEqual(u64(12));
  expect(contents(map)).toEqual(
    new Map([
      [1, u64(12).toString()],
      [2, u64(20).toString()],
    ]),
  );
  expect([...map.keys()].map((key) => readU32(key)).sort()).toEqual([1, 2]);
  expect(map.delete(u32(1))).toBe(true);
  expect(map.delete(u32(1))).toBe(false);
  expect(contents(map).size).toBe(1);
});

test("a value is a copy: changing it changes no map", () => {
  using map = create("hash");
  map.update(u32(1), u64(1));
  map.lookup(u32(1))?.fill(9);
  for (const [, value] of map.entries()) value.fill(9);
  expect(map.lookup(u32(1))).toEqual(u64(1));
});

test("a value is read into a buffer of the caller's, which stays as it was when there is none", () => {
  using map = create("hash");
  map.update(u32(1), u64(10));
  const large = new Uint8Array(24).fill(7);
  const into = large.subarray(8, 16);
  expect(map.lookup(u32(1), into)).toBe(into);
  expect(large).toEqual(Uint8Array.from([...Array(8).fill(7), ...u64(10), ...Array(8).fill(7)]));
  expect(map.lookup(u32(2), into)).toBeUndefined();
  expect(into).toEqual(u64(10));
  for (const size of [0, 7, 9]) {
    expect(() => map.lookup(u32(1), new Uint8Array(size))).toThrow(
      expect.objectContaining({ code: "ERR_OUT_OF_RANGE" }),
    );
  }
});

test("array: all entries are there, none can be deleted, none added", () => {
  using map = create("array");
  map.update(u32(7), u64(70));
  expect([...map.entries()]).toHaveLength(8);
  expect(contents(map).get(7)).toBe(u64(70).toString());
  expect(() => map.delete(u32(7))).toThrow(expect.objectContaining({ code: "EINVAL" }));
  expect(() => map.update(u32(8), u64(0))).toThrow(expect.objectContaining({ code: "E2BIG", errno: -7 }));
  expect(map.lookup(u32(8))).toBeUndefined();
});

test("lpm_trie: the longest prefix answers; full is ENOSPC", () => {
  using map = create("lpm_trie", { keySize: 8, valueSize: 4, maxEntries: 2, flags: 1 });
  const key = (length: number, ...address: number[]) => Uint8Array.of(length, 0, 0, 0, ...address);
  map.update(key(8, 198, 0, 0, 0), u32(8));
  map.update(key(15, 198, 18, 0, 0), u32(15));
  expect(map.lookup(key(32, 198, 19, 1, 1))).toEqual(u32(15));
  expect(map.lookup(key(32, 198, 20, 1, 1))).toEqual(u32(8));
  expect(map.lookup(key(32, 203, 0, 113, 1))).toBeUndefined();
  expect([...map.entries()].map(([, value]) => readU32(value)).sort()).toEqual([15, 8]);
  expect(() => map.update(key(1, 128, 0, 0, 0), u32(1))).toThrow(expect.objectContaining({ code: "ENOSPC" }));
});

test("a full hash is E2BIG, an LRU hash forgets instead", () => {
  using hash = create("hash", { maxEntries: 2 });
  for (const n of [1, 2]) hash.update(u32(n), u64(n));
  expect(() => hash.update(u32(3), u64(3))).toThrow(
    expect.objectContaining({ code: "E2BIG", syscall: "bpf_map_update_elem" }),
  );
  using lru = create("lru_hash", { maxEntries: 128 });
  for (let n = 0; n < 1000; n++) lru.update(u32(n), u64(n));
  expect(lru.lookup(u32(999))).toEqual(u64(999));
  expect(contents(lru).size).toBeLessThanOrEqual(128);
});

test.for(["percpu_hash", "percpu_array", "lru_percpu_hash"] as const)("%s: a value for each possible CPU", (type) => {
  using map = create(type, { valueSize: 12 });
  const values = Array.from({ length: possibleCpus() }, (_, cpu) => new Uint8Array(12).fill(cpu + 1));
  map.updatePerCpu(u32(3), values);
  expect(map.lookupPerCpu(u32(3))).toEqual(values);
  const entry = [...map.entriesPerCpu()].find(([key]) => readU32(key) === 3);
  expect(entry?.[1]).toEqual(values);
  expect(map.lookupPerCpu(u32(100))).toEqual([]);
  expect(() => map.updatePerCpu(u32(3), values.slice(1))).toThrow(RangeError);
  const perCpu = expect.objectContaining({ code: "ERR_PER_CPU" });
  expect(() => map.lookup(u32(3))).toThrow(perCpu);
  expect(() => map.update(u32(3), new Uint8Array(12))).toThrow(perCpu);
  expect(() => [...map.entries()]).toThrow(perCpu);
});

test("per-CPU calls on other maps are refused", () => {
  using map = create("hash");
  const notPerCpu = expect.objectContaining({ code: "ERR_PER_CPU" });
  expect(() => map.lookupPerCpu(u32(0))).toThrow(notPerCpu);
  expect(() => map.updatePerCpu(u32(0), [])).toThrow(notPerCpu);
  expect(() => [...map.entriesPerCpu()]).toThrow(notPerCpu);
});

test("sockmap: no batches in the kernel, read key by key; without sockets it is empty", () => {
  using map = create("sockmap");
  expect([...map.entries()]).toEqual([]);
  expect(map.lookup(u32(0))).toBeUndefined();
  expect(map.delete(u32(0))).toBe(false);
  // Arrays of sockets have all their keys, with or without a socket (sock_map_get_next_key() in net/core/sock_map.c).
  expect([...map.keys()]).toHaveLength(8);
});

test("queue: no keys; lookup peeks, an empty one has nothing", () => {
  using map = create("queue", { keySize: 0, valueSize: 4 });
  const none = new Uint8Array();
  expect(map.lookup(none)).toBeUndefined();
  map.update(none, u32(5));
  expect(map.lookup(none)).toEqual(u32(5));
});

test("hash_of_maps: values are map ids on lookup, descriptors on update", () => {
  using inner = create("array");
  using outer = create("hash_of_maps", { valueSize: 4, innerMap: inner });
  outer.update(u32(1), u32(inner.fd));
  expect(readU32(outer.lookup(u32(1)))).toBe(inner.info.id);
  expect([...outer.entries()].map(([, value]) => readU32(value))).toEqual([inner.info.id]);
});

test("a map of more than one batch is read whole, each entry once", () => {
  using map = create("hash", { maxEntries: 5000 });
  for (let n = 0; n < 5000; n++) map.update(u32(n), u64(n * 2));
  const seen = new Map([...map.entries()].map(([key, value]) => [readU32(key), readU32(value)]));
  expect([...map.entries()]).toHaveLength(5000);
  expect(seen.size).toBe(5000);
  expect([...seen].every(([key, value]) => value === key * 2)).toBe(true);
  expect(new Set([...map.keys()].map((key) => readU32(key))).size).toBe(5000);
});

test("entries can be deleted while they are read", () => {
  using map = create("hash", { maxEntries: 3000 });
  for (let n = 0; n < 3000; n++) map.update(u32(n), u64(n));
  for (const [key] of map.entries()) map.delete(key);
  expect([...map.keys()]).toEqual([]);
});

test.for([
  ["key too short", 3, 8],
  ["key too long", 5, 8],
  ["value too short", 4, 7],
  ["value too long", 4, 9],
  ["empty", 0, 0],
] as const)("sizes are exact: %s", ([, keyLength, valueLength]) => {
  using map = create("hash");
  const size = expect.objectContaining({ name: "RangeError", code: "ERR_OUT_OF_RANGE" });
  expect(() => map.update(new Uint8Array(keyLength), new Uint8Array(valueLength))).toThrow(size);
  if (keyLength === 4) return;
  expect(() => map.lookup(new Uint8Array(keyLength))).toThrow(size);
  expect(() => map.delete(new Uint8Array(keyLength))).toThrow(size);
});

test("a Buffer and a view into a larger buffer are taken as the bytes that they show", () => {
  using map = create("hash");
  const large = Uint8Array.of(9, 9, 9, 9, 1, 0, 0, 0, 9, 9);
  map.update(large.subarray(4, 8), Buffer.from(u64(1)));
  expect(map.lookup(u32(1))).toEqual(u64(1));
});

test("pin, reopen, and the map outlives its first owner", () => {
  using bpffs = new TestBpffs();
  const path = bpffs.at("counts");
  const first = create("hash");
  const { info } = first;
  first.update(u32(1), u64(2));
  first.pin(path);
  expect(() => first.pin(path)).toThrow(expect.objectContaining({ code: "EEXIST" }));
  first[Symbol.dispose]();
  using second = BpfMap.openPinned(path);
  expect(second.info).toEqual(info);
  expect(second.lookup(u32(1))).toEqual(u64(2));
});

test("pins that cannot be", () => {
  using bpffs = new TestBpffs();
  using map = create("hash");
  expect(() => map.pin(bpffs.at("a.b"))).toThrow(expect.objectContaining({ code: "ERR_PIN_NAME" }));
  expect(() => map.pin(bpffs.at("no/such/directory"))).toThrow(expect.objectContaining({ code: "ENOENT" }));
  expect(() => BpfMap.openPinned(bpffs.at("nothing"))).toThrow(expect.objectContaining({ code: "ENOENT" }));
  map.pin(bpffs.at("map"));
  expect(() => BpfProgram.openPinned(bpffs.at("map"))).toThrow(
    expect.objectContaining({ code: "ERR_WRONG_KIND", message: expect.stringContaining("expected a BPF program") }),
  );
});

test("maps that cannot be created", () => {
  expect(() => create("hash", { keySize: 0 })).toThrow(expect.objectContaining({ code: "EINVAL" }));
  expect(() => create("hash", { name: "sixteen_letters_" })).toThrow(RangeError);
  expect(() => create("hash", { maxEntries: -1 })).toThrow(TypeError);
  expect(() => create("hash", { maxEntries: 1.5 })).toThrow(TypeError);
  expect(() => create("hash", { maxEntries: 2 ** 32 })).toThrow(TypeError);
});
