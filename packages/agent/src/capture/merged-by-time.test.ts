import { expect, test } from "vitest";
import { MergedByTime } from "./merged-by-time.ts";

const at = (atNs: number, rank = 0) => ({ atNs: BigInt(atNs), rank });

test("what a round brings waits for the next, which may have older ones", () => {
  const merged = new MergedByTime();
  expect(merged.add([at(10), at(30)])).toEqual([]);
  expect(merged.add([at(20, 1), at(40)])).toEqual([at(10), at(20, 1), at(30)]);
  expect(merged.add([])).toEqual([at(40)]);
  expect(merged.finish()).toEqual([]);
});

test("of two at the same time the one whose place comes first is first", () => {
  const merged = new MergedByTime();
  merged.add([at(5, 2), at(5, 0), at(5, 1)]);
  expect(merged.finish()).toEqual([at(5, 0), at(5, 1), at(5, 2)]);
});

test("two of one place at the same time stay as they came", () => {
  const [first, second] = [at(5), at(5)];
  const merged = new MergedByTime();
  merged.add([first, second]);
  expect(merged.add([])[0]).toBe(first);
});

test("a clock that is set back holds nothing up", () => {
  const merged = new MergedByTime();
  merged.add([at(1_000)]);
  expect(merged.add([at(1), at(2)])).toEqual([at(1), at(2), at(1_000)]);
  expect(merged.add([at(3)])).toEqual([]);
  expect(merged.finish()).toEqual([at(3)]);
});
