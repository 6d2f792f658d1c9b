import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import type { Catch } from "./catch-mutant.ts";
import { renderSection, withSection } from "./page.ts";

const one = (over: Partial<Catch>): Catch => ({
  number: 1,
  behaviour: "outbound-tcp",
  change: "a | b",
  where: "IPv4 cold",
  caught: true,
  failure: "saw `x`|y",
  passed: ["nodeport"],
  failed: [],
  ...over,
});
const ran = { kernel: "6.12", day: "2026-11-22" };

it("says of each mutant what its behaviour said, and has the matrix", () => {
  const missed = one({ number: 11, behaviour: "nodeport", caught: false, failure: "", passed: [], failed: [] });
  const section = renderSection([missed, one({})], ran);
  expect(section).toContain("**mutants: 1 of 2 caught, each passing at least 1 others** (asked for: 25).");
  expect(section).toContain(
    "| 1 | `outbound-tcp` | a \\| b | `saw 'x'\\|y` |\n| 11 | `nodeport` | a \\| b | **missed** |",
  );
  expect(section).toContain("```text\n    mutant         1 11\n 1  outbound-tcp   X  ·\n");
  expect(renderSection([one({ failure: "y".repeat(200) })], ran)).toMatch(/`y{140} …`/);
});

it("finds its place in docs/conformance.md, again and again", () => {
  const page = readFileSync(new URL("../../../docs/conformance.md", import.meta.url), "utf8");
  const once = withSection(page, "first");
  const twice = withSection(once, "second");
  expect(twice).toContain("do not edit. -->\n\nsecond\n\n<!-- The end");
  expect(twice).not.toContain("first\n\n<!--");
  expect(twice.endsWith(page.slice(page.indexOf("<!-- The end")))).toBe(true);
  expect(() => withSection("nothing", "first")).toThrow(/no place/);
});
