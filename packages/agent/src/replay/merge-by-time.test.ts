import { expect, test } from "vitest";
import { mergeByTime } from "./merge-by-time.ts";

const items = (...times: string[]) => times.map((text) => ({ time: text.slice(0, 1), text }));
const merged = (...sequences: { time: string; text: string }[][]) =>
  [...mergeByTime(sequences)].map(({ text }) => text).join(" ");

test("by time; of equal times the earlier sequence first", () => {
  expect(merged(items("1a", "3a", "5a"), items("2b", "3b", "4b", "9b"), [])).toBe("1a 2b 3a 3b 4b 5a 9b");
});

test("each stays in its own order, although a clock was put back", () => {
  expect(merged(items("1a", "5a", "2a", "6a"), items("3b"))).toBe("1a 3b 5a 2a 6a");
});

test("reads no further ahead than one of each", () => {
  let read = 0;
  function* endless() {
    for (;;) yield { time: String(++read) };
  }
  const sequence = mergeByTime([endless(), endless()]);
  sequence.next();
  expect(read).toBe(2);
});
