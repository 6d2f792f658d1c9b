import type { TypeLayout } from "libbpf-ts";
import { describe, expect, it } from "vitest";
import { conversion, conversionProblems, memberOf } from "./map-conversion.ts";

const layout = (size: number, ...fields: [path: string, byte: number, bits: number, kind: string][]): TypeLayout => ({
  size,
  fields: fields.map(([path, byte, bits, kind]) => ({ path, bitOffset: byte * 8, bits, kind })),
});
const older = layout(12, ["ifindex", 0, 32, "u32"], ["mac", 4, 48, "u8[6]"], ["port", 10, 16, "be16"]);
const newer = layout(
  24,
  ["weight", 0, 64, "u64"],
  ["port", 8, 16, "be16"],
  ["mac", 10, 48, "u8[6]"],
  ["ifindex", 16, 64, "u64"],
);
const bytes = Uint8Array.from([1, 2, 3, 4, 10, 11, 12, 13, 14, 15, 0x1f, 0x90]);

// Both machines Millrace is built for, x64 and arm64, are little-endian.
describe("a value of another layout", () => {
  it("has each member by its name, wherever it is and however wide, and zeros for a new one", () => {
    expect(conversionProblems(older, newer, "value", false)).toEqual([]);
    expect([...conversion(older, newer)(bytes)]).toEqual([
      ...[0, 0, 0, 0, 0, 0, 0, 0],
      ...[0x1f, 0x90],
      ...[10, 11, 12, 13, 14, 15],
      ...[1, 2, 3, 4, 0, 0, 0, 0],
    ]);
  });

  it("comes back as it was", () => {
    expect(conversionProblems(newer, older, "value", true)).toEqual([]);
    expect([...conversion(newer, older)(conversion(older, newer)(bytes))]).toEqual([...bytes]);
  });

  it("is refused for a number that does not fit, rather than cut", () => {
    const large = conversion(older, newer)(bytes);
    large[20] = 1;
    expect(() => conversion(newer, older)(large)).toThrow(
      expect.objectContaining({ code: "ERR_LAYOUT_MISMATCH", message: expect.stringContaining("ifindex") }),
    );
  });

  it("of a number without a name is that number", () => {
    const [word, long] = [layout(4, ["", 0, 32, "u32"]), layout(8, ["", 0, 64, "u64"])];
    expect(conversionProblems(word, long, "value", false)).toEqual([]);
    expect([...conversion(word, long)(Uint8Array.from([7, 0, 0, 1]))]).toEqual([7, 0, 0, 1, 0, 0, 0, 0]);
  });
});

describe("what keeps one from being read", () => {
  it("is a member that a newer version has no more: it may mean something else there", () => {
    const renamed = layout(12, ["index", 0, 32, "u32"], ["mac", 4, 48, "u8[6]"], ["port", 10, 16, "be16"]);
    expect(conversionProblems(renamed, older, "members: value", true)).toEqual(["members: value.ifindex is gone"]);
    expect(conversionProblems(renamed, older, "members: value", false)).toEqual([]);
  });

  it("is another kind: an order of bytes, an array of another length, bits", () => {
    const other = (field: number, change: object): TypeLayout => ({
      ...older,
      fields: older.fields.map((old, index) => (index === field ? { ...old, ...change } : old)),
    });
    expect(conversionProblems(other(2, { kind: "u16" }), older, "key", false)).toEqual(["key.port is u16, here be16"]);
    expect(conversionProblems(other(1, { kind: "u8[8]", bits: 64 }), older, "key", false)).toHaveLength(1);
    expect(conversionProblems(other(0, { bits: 31 }), older, "key", false)).toHaveLength(1);
  });
});

it("finds the bytes of one member", () => {
  expect(memberOf(bytes, older, "mac")).toEqual(bytes.subarray(4, 10));
  expect(memberOf(bytes, older, "weight")).toBeUndefined();
});
