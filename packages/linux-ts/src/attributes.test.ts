import { describe, expect, it } from "vitest";
import { Attributes, PayloadWriter, structOf } from "./attributes.ts";
import { LinuxError } from "./errors.ts";

const malformed = expect.objectContaining({ name: "LinuxError", code: "ERR_MALFORMED" });

function codeOf(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    if (error instanceof LinuxError) return error.code;
    throw error;
  }
  return "";
}

describe("structOf", () => {
  it("gives a view that ends where the struct does", () => {
    const view = structOf(Uint8Array.of(1, 2, 3, 4, 5, 6), 4, "pair");
    expect(view.byteLength).toBe(4);
    expect(() => view.getUint32(1)).toThrow(RangeError);
  });
});

describe("Attributes", () => {
  it("reads back what PayloadWriter wrote, padding and nests included", () => {
    const inner = new PayloadWriter().string(1, "veth").u32(2, 0xfffffff0);
    const bytes = new PayloadWriter().u8(3, 7).string(4, "eth0").s32(5, -1).nested(6, inner).finish();
    const attributes = Attributes.parse(bytes);

    expect(bytes.length % 4).toBe(0);
    expect(attributes.u8(3)).toBe(7);
    expect(attributes.string(4)).toBe("eth0");
    expect(attributes.s32(5)).toBe(-1);
    expect(attributes.nested(6)?.string(1)).toBe("veth");
    expect(attributes.nested(6)?.u32(2)).toBe(0xfffffff0);
    expect(attributes.types()).toEqual([3, 4, 5, 6]);
    expect(attributes.u32(9)).toBeUndefined();
  });

  it("needs no padding behind the last attribute, and no NUL in a string", () => {
    expect(Attributes.parse(Uint8Array.of(6, 0, 1, 0, 0x6c, 0x6f)).string(1)).toBe("lo");
  });

  it("ignores the flag bits of a type", () => {
    expect(Attributes.parse(Uint8Array.of(5, 0, 1, 0xc0, 9)).u8(1)).toBe(9);
  });

  it("takes the last of two", () => {
    expect(Attributes.parse(new PayloadWriter().u8(1, 1).u8(1, 2).finish()).u8(1)).toBe(2);
  });

  it.each([
    ["shorter than a header", [4, 0, 1]],
    ["claiming less than a header", [3, 0, 1, 0]],
    ["claiming nothing", [0, 0, 1, 0, 0, 0, 0, 0]],
    ["claiming more than there is", [9, 0, 1, 0, 1, 2, 3, 4]],
  ])("refuses an attribute %s", (_, bytes) => {
    expect(() => Attributes.parse(Uint8Array.from(bytes))).toThrow(malformed);
  });

  it("refuses a number in too few bytes", () => {
    const attributes = Attributes.parse(new PayloadWriter().attribute(1, Uint8Array.of(1, 2, 3)).finish());
    expect(codeOf(() => attributes.u32(1))).toBe("ERR_MALFORMED");
    expect(codeOf(() => attributes.u64be(1))).toBe("ERR_MALFORMED");
    expect(attributes.u16(1)).toBe(0x0201);
  });

  it("never looks past its own bytes in a larger buffer", () => {
    const buffer = new PayloadWriter().u32(1, 1).u32(2, 2).finish();
    const attributes = Attributes.parse(buffer.subarray(0, 8));
    expect(attributes.types()).toEqual([1]);
    expect(codeOf(() => Attributes.parse(buffer.subarray(0, 7)))).toBe("ERR_MALFORMED");
  });
});
