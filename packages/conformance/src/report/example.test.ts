import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { behaviours } from "../behaviours/index.ts";

const ROOT = join(import.meta.dirname, "../../../..");
const SOURCES = join(ROOT, "examples/backend-nftables/src");
/** What somebody reads who wants to know what a backend is. `biome check` sees to it that they are lines as anybody writes them. */
const MOST_LINES = 400;
/** Behaviours that the example may leave to others. */
const LIMITS: readonly number[] = [3, 17, 29];

test("the example is as long as somebody reads in an afternoon", () => {
  const files = readdirSync(SOURCES, { recursive: true, encoding: "utf8" });
  const lines = files
    .filter((file) => file.endsWith(".ts") && !file.endsWith(".test.ts"))
    .map((file) => readFileSync(join(SOURCES, file), "utf8").split("\n").length - 1);
  expect(lines.length).toBeGreaterThan(0);
  expect(lines.reduce((sum, count) => sum + count, 0)).toBeLessThanOrEqual(MOST_LINES);
});

test("it is written against what is promised to everybody", () => {
  const files = readdirSync(SOURCES).map((file) => readFileSync(join(SOURCES, file), "utf8"));
  const imported = files.flatMap((text) => [...text.matchAll(/ from "([^."][^"]*)"/g)].map(([, name]) => name));
  const promised = ["@millrace/core", "@millrace/core/host", "node:crypto", "node:fs", "zod"];
  expect([...new Set(imported)].sort()).toEqual(promised);
});

/** `| 1 | `outbound-tcp` | yes | passed | …`. */
const rows = readFileSync(join(ROOT, "docs/backend-nftables.md"), "utf8")
  .split("\n")
  .filter((line) => /^\| [^|]*\| `/.test(line))
  .map((line) => line.split("|").map((cell) => cell.trim()))
  .map(([, number, id = "", claimed, ...cells]) => ({
    number,
    id: id.replaceAll("`", ""),
    claimed,
    cells: cells.slice(0, 4),
  }));

test("its table has every behaviour that there is, in their order", () => {
  const wanted = behaviours.map(({ id, number }) => ({ id, number: `${number ?? ""}` }));
  expect(rows.map(({ id, number }) => ({ id, number }))).toEqual(wanted);
});

test("in its table everything is claimed, was run, and passed, but for its limits and what is only said of other backends", () => {
  for (const { number, id, claimed, cells } of rows) {
    const isFurther = number === "";
    if (LIMITS.includes(Number(number)) || (isFurther && claimed === "does not apply")) continue;
    expect({ id, claimed }).toEqual({ id, claimed: "yes" });
    expect({ id, cells: cells.filter((cell) => !["·", "passed"].includes(cell)) }).toEqual({ id, cells: [] });
  }
});
