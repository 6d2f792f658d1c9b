import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { mutants } from "./mutants.ts";
import { renderSection, withSection } from "./page.ts";
import { type Found, merge, readResults } from "./results.ts";

const RESULTS = new URL("../../../docs/mutants.json", import.meta.url).pathname;
const PAGE = new URL("../../../docs/conformance.md", import.meta.url);

const one = (over: Partial<Found>): Found => ({
  number: 1,
  behaviour: "outbound-tcp",
  change: "a | b",
  where: "IPv4 cold",
  caught: true,
  failure: "saw `x`|y",
  passed: ["nodeport"],
  failed: [],
  kernel: "6.12",
  day: "2026-11-22",
  ...over,
});

it("says of each mutant what its behaviour said, and has the matrix", () => {
  const missed = { caught: false, failure: "", passed: [], failed: [], kernel: "6.18", day: "2026-11-21" };
  const section = renderSection([one({}), one({ number: 11, behaviour: "nodeport", ...missed })]);
  expect(section).toContain("on Linux `6.12`, `6.18`, 2026-11-21, 2026-11-22:\n");
  expect(section).toContain(
    "**mutants: 1 of 2 caught, 1 of them run against the others, each passing at least 1 others** (asked for: 25).",
  );
  expect(section).toContain(
    "| 1 | `outbound-tcp` | a \\| b | `saw 'x'\\|y` | 1 |\n| 11 | `nodeport` | a \\| b | **missed** | not run |",
  );
  expect(section).toContain("```text\n    mutant         1 11\n 1  outbound-tcp   X  ·\n");
  expect(renderSection([one({ failure: "y".repeat(200) })])).toMatch(/`y{140} …`/);
});

it("docs/conformance.md has what docs/mutants.json says", () => {
  const page = readFileSync(PAGE, "utf8");
  expect(page).toBe(withSection(page, renderSection(readResults(RESULTS))));
});

it("each mutant was run, and its behaviour caught it", () => {
  const found = readResults(RESULTS).map(({ behaviour, change, caught }) => ({ behaviour, change, caught }));
  const wanted = mutants.map(({ behaviour, change }) => ({ behaviour, change, caught: true }));
  const byBehaviour = (a: { behaviour: string }, b: { behaviour: string }) => a.behaviour.localeCompare(b.behaviour);
  expect(found.sort(byBehaviour)).toEqual(wanted.sort(byBehaviour));
});

it("a mutant that is run again takes its own place", () => {
  const [first, second] = [one({}), one({ number: 2, behaviour: "outbound-vip" })];
  const again = one({ day: "2026-11-23" });
  expect(merge(merge(merge([], second), first), again)).toEqual([again, second]);
});

it("finds its place in docs/conformance.md, again and again", () => {
  const page = readFileSync(PAGE, "utf8");
  const once = withSection(page, "first");
  const twice = withSection(once, "second");
  expect(twice).toContain("do not edit. -->\n\nsecond\n\n<!-- The end");
  expect(twice).not.toContain("first\n\n<!--");
  expect(twice.endsWith(page.slice(page.indexOf("<!-- The end")))).toBe(true);
  expect(() => withSection("nothing", "first")).toThrow(/no place/);
});
