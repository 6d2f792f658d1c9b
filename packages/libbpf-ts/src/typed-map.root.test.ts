import { expect, test } from "vitest";
import { BpfMap, possibleCpus } from "./map.ts";
import { BpfObject } from "./object.ts";
import { frame, testObject } from "./testing/kernel.ts";
import { TestBpffs } from "./testing/test-bpffs.ts";
import { mapCodecs, TypedMap } from "./typed-map.ts";

interface Point {
  readonly x: number;
  readonly y: number;
}

function load(): BpfObject {
  const object = BpfObject.open(testObject("types"));
  object.load();
  return object;
}

const key = { x: -1, y: 2 };
/** As test-objects/types.bpf.c writes it, and expects it. */
const everything = {
  a_u8: 200,
  an_s8: -100,
  a_u16: 50_000,
  an_s16: -30_000,
  a_u32: 4_000_000_000,
  an_s32: -2_000_000_000,
  a_u64: 0x0102030405060708n,
  an_s64: -5n,
  yes: true,
  colour: "GREEN",
  depth: "BELOW",
  port: 15_001,
  address: 0xc6120001,
  cookie: 0x0102030405060708n,
  name: "höhe",
  bytes: Uint8Array.of(0, 0, 9),
  numbers: [0, 515, 0],
  points: [
    { x: 0, y: 0 },
    { x: 0, y: -7 },
  ],
  low: 5,
  high: 17,
  wide: 0xabcde,
  negative: -3,
  odd: 33,
  across: 0xabc,
  word: 256,
  octets: Uint8Array.of(0, 1, 0, 0),
  either: { number: 4n << 16n, point: { x: 0, y: 4 } },
  inner: 77,
  real: 1.5,
  last: 1n,
};

test("what a program writes is read as the compiler laid it out", () => {
  using object = load();
  const things = object.typedMap<Point, Partial<typeof everything>>("things");
  things.set(key, {});
  expect(object.program("fill").testRun({ data: frame() }).retval).toBe(0);
  expect(things.get(key)).toEqual(everything);
  expect([...things]).toEqual([[key, everything]]);
});

test("what is written here is read by a program as the compiler laid it out", () => {
  using object = load();
  const things = object.typedMap<Point, Partial<typeof everything>>("things");
  things.set(key, everything);
  expect(object.program("check").testRun({ data: frame() }).retval).toBe(0);
  const { word: _word, either: _either, ...rest } = everything;
  things.set(key, { ...rest, either: { number: 4n << 16n } } as never);
  expect(object.program("check").testRun({ data: frame() }).retval).toBe(0);
  things.set(key, { ...everything, negative: 3 });
  expect(object.program("check").testRun({ data: frame() }).retval).toBeGreaterThan(1);
});

test("get, has, set, delete, take, drain, many at once", () => {
  using object = load();
  const things = object.typedMap<Point, { last: bigint }>("things");
  const points = [1, 2, 3].map((x) => ({ x, y: -x }));
  things.setAll(points.map((point) => [point, { last: BigInt(point.x) }]));
  expect([...things.keys()].sort((a, b) => a.x - b.x)).toEqual(points);
  expect(things.get({ x: 2, y: -2 })?.last).toBe(2n);
  expect(things.get({ x: 2, y: 2 })).toBeUndefined();
  expect(() => things.set({ x: 1, y: -1 }, { last: 0n }, "noexist")).toThrow(
    expect.objectContaining({ code: "EEXIST" }),
  );
  expect(() => things.setAll([[{ x: 9, y: 9 }, { last: 0n }]], "exist")).toThrow(
    expect.objectContaining({ code: "ENOENT" }),
  );
  expect(things.delete({ x: 1, y: -1 })).toBe(true);
  expect(things.has({ x: 1, y: -1 })).toBe(false);
  expect(things.take({ x: 2, y: -2 })).toMatchObject({ last: 2n });
  expect(things.drain()).toMatchObject([[{ x: 3, y: -3 }, { last: 3n }]]);
  things.setAll(points.map((point) => [point, { last: 1n }]));
  expect(
    things.deleteAll([
      { x: 1, y: -1 },
      { x: 8, y: 8 },
      { x: 3, y: -3 },
    ]),
  ).toBe(2);
  expect([...things.keys()]).toEqual([{ x: 2, y: -2 }]);
});

test("a per-CPU map has a value for each CPU", () => {
  using object = load();
  const places = object.typedPerCpuMap<number, Point>("places");
  const values = Array.from({ length: possibleCpus() }, (_, cpu) => ({ x: cpu, y: 1 - cpu }));
  places.set(5, values);
  expect(places.get(5)).toEqual(values);
  expect(places.get(6)).toEqual([]);
  places.setAll([
    [6, values],
    [7, values.map(() => ({ x: 1, y: 1 }))],
  ]);
  expect(new Map(places).get(6)).toEqual(values);
  expect([...places.keys()].sort()).toEqual([5, 6, 7]);
  expect(places.delete(7)).toBe(true);
  expect(new Map(places.drain())).toEqual(new Map([[5, values], [6, values]])); // biome-ignore format: one line
  expect([...places]).toEqual([]);
  expect(() => object.typedMap<number, Point>("places").get(1)).toThrow(
    expect.objectContaining({ code: "ERR_PER_CPU" }),
  );
});

test("a pinned map brings its types from the kernel", () => {
  using bpffs = new TestBpffs();
  {
    using object = load();
    object.typedMap<Point, object>("things").set(key, everything);
    object.map("things").pin(bpffs.at("things"));
  }
  using map = BpfMap.openPinned(bpffs.at("things"));
  const things = new TypedMap(map, mapCodecs<Point, typeof everything>(map));
  expect(things.get(key)).toEqual(everything);
});

test("maps without types say so", () => {
  using object = load();
  const none = expect.objectContaining({ code: "ERR_BTF" });
  expect(() => object.typedMap("untyped")).toThrow(none);
  expect(() => object.typedMap("nothing")).toThrow(expect.objectContaining({ code: "ERR_NOT_FOUND" }));
  using map = BpfMap.create({ type: "array", keySize: 4, valueSize: 4, maxEntries: 1 });
  expect(() => mapCodecs(map)).toThrow(none);
});

test.for([
  ["a_u8", 256, "everything.a_u8: 256 is not in 0…255"],
  ["a_u8", -1, "everything.a_u8: -1 is not in 0…255"],
  ["an_s16", 32_768, "is not in -32768…32767"],
  ["a_u32", 1.5, "is no whole number"],
  ["a_u32", Number.NaN, "is no whole number"],
  ["a_u32", "7", "everything.a_u32: expected an integer, found string"],
  ["a_u64", 2n ** 64n, "is not in 0…18446744073709551615"],
  ["a_u64", 2 ** 53, "is no whole number that can be told exactly"],
  ["low", 8, "everything.low: 8 is not in 0…7"],
  ["negative", -9, "is not in -8…7"],
  ["yes", 1, "expected a boolean, found number"],
  ["colour", "BLUE", "everything.colour: no enumerator BLUE; there are RED, GREEN"],
  ["name", "ninebytes", "everything.name has room for 8 bytes, not 9"],
  ["name", "a\0b", "has no NUL inside"],
  ["bytes", Uint8Array.of(1), "everything.bytes has 3 bytes, not 1"],
  ["bytes", [1, 2, 3], "expected a Uint8Array, found an array"],
  ["numbers", [1], "everything.numbers has 3 elements, not 1"],
  [
    "points",
    [
      { x: 0, y: 0 },
      { x: 0, y: 1e9 },
    ],
    "everything.points[1].y: 1000000000 is not in",
  ],
  ["points", [{ x: 0, z: 0 }, {}], "everything.points[0] has no member z; it has x, y"],
  ["points", 5, "expected an array, found number"],
  ["either", { number: 1n, point: { x: 2 } }, "point and a member that shares its bytes do not agree"],
  ["either", null, "everything.either: expected an object, found null"],
  ["octets", Uint8Array.of(1, 1, 1, 1), "do not agree on them"],
  ["nothing", 1, "everything has no member nothing"],
] as const)("values that do not fit are refused by name: %s %o", ([member, value, message]) => {
  using object = load();
  const things = object.typedMap<Point, object>("things");
  expect(() => things.set(key, { word: 256, [member]: value })).toThrow(message);
  expect([...things.keys()]).toEqual([]);
});

test("variables: read before and after, set before load()", () => {
  using object = BpfObject.open(testObject("types"));
  expect(object.variable("limit")).toBe(7);
  expect(object.variable("origin")).toEqual({ x: 1, y: 2 });
  object.setVariables({ limit: 40, origin: { x: 2, y: 0 }, total: 0n });
  expect(object.variable("origin")).toEqual({ x: 2, y: 0 });
  expect(() => object.setVariables({ limits: 1 })).toThrow(
    "the object has no variable limits; it has: limit, origin, total",
  );
  expect(() => object.setVariables({ limit: -1 })).toThrow(RangeError);
  object.load();
  object.program("fill").testRun({ data: frame() });
  expect(object.variable("total")).toBe(42n);
  expect(object.variable("limit")).toBe(40);
  expect(() => object.setVariables({ limit: 1 })).toThrow(expect.objectContaining({ code: "ERR_ALREADY_LOADED" }));
});
