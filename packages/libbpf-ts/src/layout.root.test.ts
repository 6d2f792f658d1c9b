import { expect, test } from "vitest";
import { BpfObject } from "./object.ts";
import { testObject } from "./testing/kernel.ts";

/** What speaks against using the loaded map `existing` as the declared map `declared`. */
function reuse(existing: string, declared: string): string {
  using loaded = BpfObject.open(testObject("layouts"));
  loaded.load();
  using object = BpfObject.open(testObject("layouts"));
  try {
    object.reuseMap(declared, loaded.map(existing));
  } catch (error) {
    expect(error).toMatchObject({ code: "ERR_MAP_MISMATCH" });
    return (error as Error).message.replace(/.*differs: /, "");
  }
  object.load();
  expect(object.map(declared).info.id).toBe(loaded.map(existing).info.id);
  return "";
}

test.for([
  ["old", "old", ""],
  ["what was reserved has a use", "old grown", ""],
  ["what had a use is reserved", "grown old", ""],
  ["a map without types", "sizes old", ""],
  ["a map without types is declared", "old sizes", ""],
  ["other names", "renamed old", "value.ifindex is u32 at byte 0, declared value.index is u32 at byte 0"],
  ["the key", "other_key old", "key is be32 at byte 0, declared key is u32 at byte 0"],
] as const)("a map of the same sizes: %s", ([, pair, expected]) => {
  const [first = "", second = first] = pair.split(" ");
  const [existing, declared] = first === "renamed" ? ["old", "renamed"] : [first, second];
  expect(reuse(existing, declared)).toBe(expected);
});

test("members that moved, and that became another kind", () => {
  expect(reuse("moved", "old")).toContain("value.mac is u8[6] at byte 0, declared value.ifindex is u32 at byte 0");
  expect(reuse("retyped", "old")).toBe(
    "value.ifindex is be32 at byte 0, declared value.ifindex is u32 at byte 0; " +
      "value.both is s64 at byte 16, declared value.both is u64 at byte 16; " +
      "value.both is s64 at byte 16, declared value.halves.low is u32 at byte 16; " +
      "value.both is s64 at byte 16, declared value.halves.up is u32 at byte 20",
  );
});

test("a layout names each member, its place and its kind", () => {
  using object = BpfObject.open(testObject("types"));
  const layout = object.layout("things");
  expect(layout?.key).toEqual({
    size: 4,
    fields: [
      { path: "x", bitOffset: 0, bits: 16, kind: "s16" },
      { path: "y", bitOffset: 16, bits: 16, kind: "s16" },
    ],
  });
  const value = (path: string) => layout?.value.fields.find((field) => field.path === path);
  expect(value("name")).toMatchObject({ bits: 64, kind: "char[8]" });
  expect(value("points[].y")).toMatchObject({ bits: 16, kind: "s16 (2, every 4 bytes)" });
  expect(value("wide")).toMatchObject({ bits: 20, kind: "u32" });
  expect(value("octets")).toMatchObject({ bitOffset: value("word")?.bitOffset, kind: "u8[4]" });
  expect(value("cookie")?.kind).toBe("be64");
  expect(object.layout("untyped")).toBeUndefined();
  expect(() => object.layout("nothing")).toThrow(expect.objectContaining({ code: "ERR_NOT_FOUND" }));
});
