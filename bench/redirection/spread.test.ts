import { expect, test } from "vitest";
import { spread } from "./spread.ts";

test("the median, the least and the greatest", () => {
  expect(spread([3, 1, 20])).toEqual({ median: 3, min: 1, max: 20, n: 3 });
  expect(spread([10, 9, 8, 1])).toEqual({ median: 8.5, min: 1, max: 10, n: 4 });
  expect(spread([7])).toEqual({ median: 7, min: 7, max: 7, n: 1 });
});

test("nothing has none", () => {
  expect(() => spread([])).toThrow(RangeError);
});
