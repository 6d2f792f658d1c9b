import { expect, test } from "vitest";
import { mapMismatch } from "./map-mismatch.ts";

const declared = { type: "hash", keySize: 4, valueSize: 8, maxEntries: 16, flags: 0 };

test("an equal map can be reused", () => {
  expect(mapMismatch(declared, { ...declared })).toEqual([]);
});

test("every difference is named", () => {
  const existing = { type: "array", keySize: 8, valueSize: 4, maxEntries: 17, flags: 1 };
  expect(mapMismatch(declared, existing)).toEqual([
    "type is array, declared hash",
    "keySize is 8, declared 4",
    "valueSize is 4, declared 8",
    "maxEntries is 17, declared 16",
    "flags is 1, declared 0",
  ]);
});

test("the flag that the kernel adds to device maps is no difference, in others it is", () => {
  const devmap = { ...declared, type: "devmap_hash" };
  expect(mapMismatch(devmap, { ...devmap, flags: 0x80 })).toEqual([]);
  expect(mapMismatch(declared, { ...declared, flags: 0x80 })).toHaveLength(1);
});
