import { expect, it } from "vitest";
import { emptyTally, fuzzBatch } from "./fuzz/fuzz.ts";
import { findings, summary } from "./fuzz/report.ts";
import { TARGETS, Target } from "./fuzz/target.ts";
import { PLANTED_BUGS } from "./planted/bugs.ts";
import { Variant } from "./planted/variant.ts";

/* Programs with a bug, built for this: the fuzzer is worth what it finds. */

const SEED = 20_000;
const BATCHES = 5;

function fuzz(objects?: Variant["objects"]) {
  using stack = new DisposableStack();
  const targets = TARGETS.map((name) => stack.use(new Target(name, objects)));
  const tally = emptyTally();
  for (let batch = 0; batch < BATCHES; batch++) fuzzBatch(targets, SEED + batch, tally);
  return tally;
}

it("finds nothing in the programs as they are", () => {
  const tally = fuzz();
  expect(findings(tally)).toBe("");
  expect(summary(tally)).toMatch(/^fuzz: \d+ frames, 0 escaped$/);
});

it.each(PLANTED_BUGS.filter(({ foundBy }) => foundBy === "made-up"))(
  "finds: $name",
  ({ change, kind = "escaped" }) => {
    using variant = new Variant([change]);
    const tally = fuzz(variant.objects);
    expect(tally.kinds.get(kind), summary(tally)).toBeGreaterThan(0);
  },
  300_000,
);
