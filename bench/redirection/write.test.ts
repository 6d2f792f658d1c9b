import { expect, test } from "vitest";
import { resultsOf } from "./testing/results.ts";
import { resultsText } from "./write.ts";

test("a line for each sample, and JSON all the same", () => {
  const results = resultsOf(0);
  const text = resultsText(results);
  expect(JSON.parse(text)).toEqual(results);
  expect(text.split("\n").filter((line) => line.startsWith('{"load"'))).toHaveLength(results.samples.length);
});
