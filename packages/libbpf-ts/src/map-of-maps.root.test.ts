import { expect, test } from "vitest";
import { BpfMap } from "./map.ts";
import { innerMap, setInnerMap } from "./map-of-maps.ts";
import { BpfObject } from "./object.ts";
import { frame, openFds, readU64, testObject, u32 } from "./testing/kernel.ts";

const COUNTER = { type: "array", keySize: 4, valueSize: 8, maxEntries: 1 } as const;

test("programs use the inner map that user space put there, also after it has let go of it", () => {
  using object = BpfObject.open(testObject("inner"));
  object.load();
  const outer = object.map("counters");
  const count = (mark: number) => {
    const context = new Uint8Array(192);
    context.set(u32(mark), 8);
    return object.program("count").testRun({ data: frame(), context }).retval;
  };
  const read = (mark: number) => {
    using inner = innerMap(outer, u32(mark));
    return inner && readU64(inner.lookup(u32(0)));
  };
  const before = openFds();
  expect(count(7)).toBe(1);
  expect(read(7)).toBeUndefined();
  {
    using inner = BpfMap.create(COUNTER);
    setInnerMap(outer, u32(7), inner);
  }
  expect([count(7), count(7), count(8)]).toEqual([0, 0, 1]);
  expect(read(7)).toBe(2);
  {
    using inner = BpfMap.create(COUNTER);
    expect(() => setInnerMap(outer, u32(7), inner, "noexist")).toThrow(expect.objectContaining({ code: "EEXIST" }));
    setInnerMap(outer, u32(7), inner);
    expect(count(7)).toBe(0);
    expect(readU64(inner.lookup(u32(0)))).toBe(1);
  }
  outer.delete(u32(7));
  expect(count(7)).toBe(1);
  expect(openFds()).toBe(before);
});

test("inner maps of another shape are refused", () => {
  using object = BpfObject.open(testObject("inner"));
  object.load();
  using other = BpfMap.create({ ...COUNTER, valueSize: 4 });
  expect(() => setInnerMap(object.map("counters"), u32(1), other)).toThrow(expect.objectContaining({ code: "EINVAL" }));
  using closed = BpfMap.create(COUNTER);
  closed[Symbol.dispose]();
  expect(() => setInnerMap(object.map("counters"), u32(1), closed)).toThrow(
    expect.objectContaining({ code: "ERR_CLOSED" }),
  );
});

test("a frozen map is written no more from here", () => {
  using map = BpfMap.create(COUNTER);
  map.freeze();
  expect(() => map.update(u32(0), new Uint8Array(8))).toThrow(expect.objectContaining({ code: "EPERM" }));
  expect(map.lookup(u32(0))).toEqual(new Uint8Array(8));
});
