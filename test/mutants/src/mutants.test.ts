import { behaviours } from "@millrace/conformance";
import { describe, expect, it } from "vitest";
import type { Catch } from "./catch-mutant.ts";
import { isGood, renderMatrix, renderTotal } from "./matrix.ts";
import { mutants } from "./mutants.ts";

const one = (over: Partial<Catch>): Catch => ({
  number: 1,
  behaviour: "outbound-tcp",
  change: "",
  where: "IPv4 cold",
  caught: true,
  failure: "",
  passed: [],
  failed: [],
  ...over,
});

describe("mutants", () => {
  it("are one for each numbered behaviour", () => {
    const numbered = behaviours.filter(({ number }) => typeof number === "number").map(({ id }) => id);
    expect(mutants.map(({ behaviour }) => behaviour).sort()).toEqual([...numbered].sort());
  });

  it("do one thing each", () => {
    for (const { policy, backend, verbs } of mutants) {
      expect([policy, backend, verbs].filter((change) => change !== undefined)).toHaveLength(1);
    }
  });
});

describe("the matrix", () => {
  const many = Array.from({ length: 25 }, (_, index) => `b${index}`);

  it("asks for 25 others where these were run", () => {
    expect(isGood(one({}))).toBe(true);
    expect(isGood(one({ caught: false }))).toBe(false);
    expect(isGood(one({ passed: many, failed: ["x"] }))).toBe(true);
    expect(isGood(one({ passed: many.slice(1), failed: ["x"] }))).toBe(false);
  });

  it("has a row for each mutant and a column for each behaviour", () => {
    const catches = [
      one({ number: 11, behaviour: "nodeport", failed: ["outbound-tcp"], caught: false }),
      one({ passed: ["nodeport"] }),
    ];
    expect(renderMatrix(catches).split("\n")).toEqual([
      "    mutant         1 11",
      " 1  outbound-tcp   X  ·",
      "11  nodeport       x  ?",
    ]);
    expect(renderTotal(catches)).toBe("mutants: 1 of 2 caught, each passing at least 0 others");
    expect(renderTotal(catches.map((caught) => ({ ...caught, passed: [], failed: [] })))).toBe(
      "mutants: 1 of 2 caught",
    );
  });
});
