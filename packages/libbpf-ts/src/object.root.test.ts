import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { BpfMap } from "./map.ts";
import { BpfObject } from "./object.ts";
import { testObject, u32, u64 } from "./testing/kernel.ts";

test("an object lists what it declares, and after load() what it has", () => {
  using object = BpfObject.open(testObject("maps"));
  expect(object.mapSpecs.find(({ name }) => name === "a_hash")).toEqual({
    name: "a_hash",
    type: "hash",
    keySize: 4,
    valueSize: 8,
    maxEntries: 16,
    flags: 0,
  });
  expect(object.programSpecs).toContainEqual({ name: "count", section: "tc", type: "sched_cls", autoload: true });
  object.load();
  expect([...object.maps.keys()].sort()).toEqual([
    "a_hash",
    "a_percpu_array",
    "an_array",
    "an_lpm_trie",
    "maps.rodata",
  ]);
  expect([...object.programs.keys()].sort()).toEqual(["count", "remember"]);
  expect(object.map("an_lpm_trie").info).toMatchObject({ name: "an_lpm_trie", type: "lpm_trie", keySize: 8, flags: 1 });
});

test("an object opens from bytes, which may change afterwards", () => {
  const elf = new Uint8Array(readFileSync(testObject("maps")));
  using object = BpfObject.open(elf);
  elf.fill(0);
  object.load();
  expect(object.program("count").info).toMatchObject({ type: "sched_cls", name: "count" });
});

test("what is no BPF object is refused by libbpf's own code", () => {
  expect(() => BpfObject.open(new TextEncoder().encode("not ELF, for sure"))).toThrow(
    expect.objectContaining({ code: "LIBBPF_FORMAT", errno: -4001, syscall: "bpf_object__open_mem" }),
  );
  expect(() => BpfObject.open("/nonexistent.bpf.o")).toThrow(expect.objectContaining({ code: "ENOENT", errno: -2 }));
  expect(() => BpfObject.open(new Uint8Array())).toThrow(RangeError);
  expect(() => BpfObject.open("a\0b")).toThrow(RangeError);
});

test("a refused program: short message, whole verifier log, and nothing left to load again", () => {
  using object = BpfObject.open(testObject("bad"));
  const load = () => object.load();
  let error: unknown;
  try {
    load();
  } catch (thrown) {
    error = thrown;
  }
  expect(error).toMatchObject({ code: "EACCES", errno: -13, syscall: "bpf_object__load" });
  const { message, log } = error as { message: string; log: string };
  expect(message).toMatch(/^bpf_object__load: EACCES: Permission denied: R\d offset is outside of the packet$/);
  expect(log.length).toBeGreaterThan(100_000);
  expect(log).toContain("-- BEGIN PROG LOAD LOG --");
  expect(log).toMatch(/^0: /m);
  expect(log).toContain("invalid access to packet");
  expect(log).toContain("-- END PROG LOAD LOG --");
  expect(load).toThrow(expect.objectContaining({ code: "ERR_ALREADY_LOADED" }));
  expect(() => object.maps).toThrow(expect.objectContaining({ code: "ERR_NOT_LOADED" }));
});

test("a log belongs to one call only", () => {
  using bad = BpfObject.open(testObject("bad"));
  expect(() => bad.load()).toThrow();
  expect(() => BpfMap.byId(0x7fffffff)).toThrow(expect.objectContaining({ code: "ENOENT", log: "" }));
});

test("names that the object does not have", () => {
  using object = BpfObject.open(testObject("maps"));
  expect(() => object.map("a_hash")).toThrow(expect.objectContaining({ code: "ERR_NOT_LOADED" }));
  expect(() => object.setMaxEntries("nope", 1)).toThrow(expect.objectContaining({ code: "ERR_NOT_FOUND" }));
  expect(() => object.setAutoload("nope", false)).toThrow("it has: count, remember");
  object.load();
  expect(() => object.map("nope")).toThrow(expect.objectContaining({ code: "ERR_NOT_FOUND" }));
  expect(() => object.program("nope")).toThrow(expect.objectContaining({ code: "ERR_NOT_FOUND" }));
});

test("load() comes once, and changes come before it", () => {
  using object = BpfObject.open(testObject("maps"));
  object.setMaxEntries("a_hash", 99);
  object.setAutoload("remember", false);
  object.load();
  expect(object.map("a_hash").info.maxEntries).toBe(99);
  expect([...object.programs.keys()]).toEqual(["count"]);
  const late = expect.objectContaining({ code: "ERR_ALREADY_LOADED" });
  expect(() => object.load()).toThrow(late);
  expect(() => object.setMaxEntries("a_hash", 1)).toThrow(late);
  expect(() => object.setAutoload("count", false)).toThrow(late);
});

test("constants are set before load()", () => {
  using object = BpfObject.open(testObject("maps"));
  expect(object.initialValue("a_hash")).toBeUndefined();
  expect(object.initialValue("maps.rodata")).toEqual(u32(0));
  object.setInitialValue("maps.rodata", u32(2));
  expect(() => object.setInitialValue("maps.rodata", new Uint8Array(5))).toThrow(RangeError);
  object.load();
  expect(object.program("count").testRun({ data: new Uint8Array(64) }).retval).toBe(2);
});

test("two objects share a map by reuse; the map may be disposed between", () => {
  using first = BpfObject.open(testObject("maps"));
  first.load();
  using second = BpfObject.open(testObject("maps"));
  {
    using shared = BpfMap.byId(first.map("a_hash").info.id);
    second.reuseMap("a_hash", shared);
  }
  second.load();
  expect(second.map("a_hash").info.id).toBe(first.map("a_hash").info.id);
  expect(second.map("an_array").info.id).not.toBe(first.map("an_array").info.id);
  first.map("a_hash").update(u32(7), u64(8));
  expect(second.map("a_hash").lookup(u32(7))).toEqual(u64(8));
});

test("a map of another layout is not reused, and the difference is told", () => {
  using object = BpfObject.open(testObject("maps"));
  using other = BpfMap.create({ type: "hash", keySize: 4, valueSize: 16, maxEntries: 16 });
  expect(() => object.reuseMap("a_hash", other)).toThrow(expect.objectContaining({ code: "ERR_MAP_MISMATCH" }));
  expect(() => object.reuseMap("a_hash", other)).toThrow("valueSize is 16, declared 8");
  object.setMaxEntries("a_hash", 4);
  using fewer = BpfMap.create({ type: "hash", keySize: 4, valueSize: 8, maxEntries: 16 });
  expect(() => object.reuseMap("a_hash", fewer)).toThrow("maxEntries is 16, declared 4");
});

test("disposal closes object, maps and programs, and again is harmless", () => {
  const object = BpfObject.open(testObject("maps"));
  object.load();
  const map = object.map("a_hash");
  const program = object.program("count");
  object[Symbol.dispose]();
  object[Symbol.dispose]();
  const closed = expect.objectContaining({ code: "ERR_CLOSED", errno: 0 });
  expect(() => map.lookup(u32(0))).toThrow(closed);
  expect(() => program.testRun({ data: new Uint8Array(64) })).toThrow(closed);
  expect(() => object.mapSpecs).toThrow(closed);
});

test("the verifier tells what each program took it, and explains a refusal as well", () => {
  using object = BpfObject.open(testObject("maps"));
  object.setAutoload("remember", false);
  expect(() => object.verifierStatistics).toThrow(expect.objectContaining({ code: "ERR_NOT_LOADED" }));
  object.load({ statistics: true });
  const { verifierStatistics } = object;
  expect([...verifierStatistics.keys()]).toEqual(["count"]);
  expect(verifierStatistics.get("count")).toMatchObject({
    instructions: object.program("count").info.verifiedInstructions,
    limit: 1_000_000,
    stackDepths: [8],
  });
  using plain = BpfObject.open(testObject("maps"));
  plain.load();
  expect(plain.verifierStatistics.size).toBe(0);
  using bad = BpfObject.open(testObject("bad"));
  expect(() => bad.load({ statistics: true })).toThrow(
    expect.objectContaining({ code: "EACCES", log: expect.stringContaining("invalid access to packet") }),
  );
});

test("a reused map keeps the name that the object gives it", () => {
  using other = BpfMap.create({ type: "hash", name: "of_another_name", keySize: 4, valueSize: 8, maxEntries: 16 });
  using object = BpfObject.open(testObject("maps"));
  object.reuseMap("a_hash", other);
  expect(object.mapSpecs.map(({ name }) => name)).toContain("a_hash");
  object.load();
  expect(object.map("a_hash").info).toMatchObject({ id: other.info.id, name: "of_another_name" });
});

test("the size of values is set before load()", () => {
  using object = BpfObject.open(testObject("types"));
  object.setValueSize("untyped", 12);
  object.load();
  expect(object.map("untyped").info.valueSize).toBe(12);
  expect(() => object.setValueSize("untyped", 4)).toThrow(expect.objectContaining({ code: "ERR_ALREADY_LOADED" }));
});
