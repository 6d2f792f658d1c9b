import { expect, it } from "vitest";
import { bytesOf, CORPUS } from "./corpus.ts";
import { BATCH } from "./fuzz.ts";
import { Generator } from "./generator.ts";
import { judge } from "./oracle.ts";
import { Random } from "./random.ts";
import { ROW_IDS } from "./rows.ts";

it.each(CORPUS)("judges: $name", (kept) => {
  expect(judge(bytesOf(kept)).row).toBe(kept.row);
});

it("the corpus has every row", () => {
  expect(ROW_IDS.filter((row) => !CORPUS.some((kept) => kept.row === row))).toEqual([]);
});

it("a seed repeats its frames", () => {
  const frames = (seed: number) => {
    const [random, generator] = [new Random(seed), new Generator()];
    return Array.from({ length: BATCH }, () => Buffer.from(generator.next(random)).toString("hex"));
  };
  expect(frames(1)).toEqual(frames(1));
  expect(frames(1)).not.toEqual(frames(2));
});
