import { expect, test } from "vitest";
import { distribution } from "./statistics.ts";

test("percentiles by nearest rank", () => {
  const hundred = Array.from({ length: 100 }, (_, index) => 100 - index);
  expect(distribution(hundred)).toEqual({ p50: 50, p99: 99, max: 100 });
  expect(distribution([7])).toEqual({ p50: 7, p99: 7, max: 7 });
  expect(distribution([10, 9])).toEqual({ p50: 9, p99: 10, max: 10 });
});

test("nothing has none", () => {
  expect(() => distribution([])).toThrow(RangeError);
});
