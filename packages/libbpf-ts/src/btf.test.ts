import { expect, test } from "vitest";
import { Btf } from "./btf.ts";
import { btfCodec } from "./btf-codec.ts";

/** A section of types given as words, with the strings "", "a" (at 1) and "loop" (at 3). */
function section(...types: readonly number[]): Uint8Array {
  const strings = Buffer.from("\0a\0loop\0", "latin1");
  const words = [0x0001eb9f, 24, 0, types.length * 4, types.length * 4, strings.length, ...types];
  return new Uint8Array(Buffer.concat([Buffer.from(Uint32Array.from(words).buffer), strings]));
}

const kind = (number: number, count = 0) => number * 2 ** 24 + count;
const INT = [1, kind(1), 4, 32] as const;
const damaged = expect.objectContaining({ code: "ERR_BTF" });

test("types have their numbers from 1", () => {
  const btf = Btf.parse(section(...INT, 3, kind(8), 1));
  expect(btf.types).toEqual([
    { kind: "void" },
    { kind: "int", name: "a", size: 4, encoding: "unsigned" },
    { kind: "typedef", name: "loop", type: 1 },
  ]);
  expect(btf.find("typedef", "loop")).toBe(2);
  expect(btf.resolve(2)).toMatchObject({ id: 1, typedefs: ["loop"] });
  expect(btf.sizeOf(2)).toBe(4);
  expect(() => btf.find("struct", "loop")).toThrow(expect.objectContaining({ code: "ERR_NOT_FOUND" }));
});

test("enumerations of 32 and 64 bits, signed and not", () => {
  const signed = 0x8000_0000;
  const btf = Btf.parse(
    section(...[1, signed + kind(6, 1), 4, 1, 0xffff_fffe], ...[1, kind(6, 1), 4, 1, 0xffff_fffe], ...[1, signed + kind(19, 1), 8, 1, 0xffff_fffe, 0xffff_ffff]), // biome-ignore format: one type an array
  );
  expect(btf.types.slice(1).map((type) => ("values" in type ? type.values[0]?.value : undefined))).toEqual([
    -2n,
    4_294_967_294n,
    -2n,
  ]);
  expect(btfCodec<string>(btf, 3).decode(Uint8Array.of(0xfe, 255, 255, 255, 255, 255, 255, 255))).toBe("a");
});

test.for([
  ["nothing", new Uint8Array()],
  ["other bytes", new Uint8Array(64)],
  ["a type cut off", section(1, kind(1), 4)],
  ["more members than there are", section(1, kind(4, 9), 4, 0, 0, 0)],
  ["an unknown kind", section(1, kind(31), 0)],
  ["a name past the strings", section(99, kind(1), 4, 32)],
  ["a header that points past the end", section(...INT).subarray(0, 30)],
] as const)("damaged: %s", ([, bytes]) => {
  expect(() => Btf.parse(bytes)).toThrow(damaged);
});

test("types that lead nowhere have no size and no codec", () => {
  const btf = Btf.parse(section(...[3, kind(8), 1], ...[1, kind(8), 77], ...[1, kind(7), 0], ...[1, kind(3), 0, 4, 4, 2])); // biome-ignore format: one type an array
  for (const id of [0, 1, 2, 3, 4, 5]) {
    expect(() => btf.sizeOf(id), String(id)).toThrow(damaged);
    expect(() => btfCodec(btf, id), String(id)).toThrow(damaged);
  }
});
