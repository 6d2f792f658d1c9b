import { expect, test } from "vitest";
import { MAX_SLOTS, type Marks, marksOf } from "./marks.ts";

const values = (marks: Marks): string[] => [
  marks.none,
  marks.pass,
  marks.out,
  marks.in,
  ...Array.from({ length: MAX_SLOTS }, (_, slot) => marks.proxy(slot)),
];

test.each([0x7f, 0xf, 0x7f0000, 0xf000_0000])("the mask 0x%x holds every value, each once", (mask) => {
  const marks = marksOf(mask);
  const numbers = values(marks).map((text) => text.split("/").map((part) => Number(part)));
  expect(new Set(numbers.map(([value]) => value)).size).toBe(4 + MAX_SLOTS);
  for (const [value = 0, bits = 0] of numbers) {
    expect(bits).toBe(mask);
    expect((value & ~mask) >>> 0).toBe(0);
  }
});

test("one bit tells packets that go straight to a proxy from all others", () => {
  const marks = marksOf(0x7f);
  const [bit, mask] = marks.anyProxy.split("/").map(Number);
  const has = (text: string) => (Number(text.split("/")[0]) & (mask ?? 0)) === bit;
  expect(values(marks).map(has)).toEqual([false, false, false, false, ...Array(MAX_SLOTS).fill(true)]);
});
