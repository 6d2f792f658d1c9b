import { expect, test } from "vitest";
import { PackedRecords, unpackRecords } from "./ring-records.ts";

test("records of lengths that need padding and of none", () => {
  const packed = new Uint8Array(8 + 8 + 8 + 8 + 0 + 8 + 16);
  packed.set([3, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3], 0);
  packed.set([8, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8], 16);
  packed.set([0], 32);
  const [first, second, third] = unpackRecords(packed.subarray(0, 40));
  expect(first).toEqual(Uint8Array.of(1, 2, 3));
  expect(second).toEqual(Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8));
  expect(third).toEqual(new Uint8Array());
});

test("nothing packed is no record", () => {
  expect(unpackRecords(new Uint8Array())).toEqual([]);
});

test("packed records are visited in place", () => {
  const larger = new Uint8Array(64);
  larger.set([3, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3], 8);
  larger.set([8, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 9], 24);
  const records = new PackedRecords(larger.subarray(8, 48));
  const seen: number[][] = [];
  records.forEach((offset, length, view) => {
    seen.push([...new Uint8Array(view.buffer, view.byteOffset + offset, length)]);
  });
  expect(seen).toEqual([[1, 2, 3], [4, 0, 0, 0, 0, 0, 0, 9], []]);
  expect(records.toArray().map((record) => [...record])).toEqual(seen);
});
