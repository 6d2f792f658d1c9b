import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import type { Verdicts } from "../support/datapath.ts";
import { PROGRAMS, VERDICTS } from "../support/layout.ts";
import { coverageOf } from "./coverage.ts";
import { REACHABLE } from "./reachable.ts";

it("bpf/README.md says of each verdict what it means in the programs that come to it", () => {
  const page = readFileSync(new URL("../../README.md", import.meta.url), "utf8");
  const section = page.slice(page.indexOf("## Verdicts"), page.indexOf("## Maps"));
  const cells = (line: string) =>
    line
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim());
  const rows = new Map(
    section
      .split("\n")
      .filter((line) => line.startsWith("| "))
      .map((line) => [cells(line)[0] ?? "", cells(line).slice(1)]),
  );
  expect(rows.get("verdict")).toEqual(PROGRAMS.map((program) => `\`${program}\``));
  for (const verdict of VERDICTS) {
    const said = PROGRAMS.filter((_, index) => rows.get(verdict)?.[index]);
    expect(said, verdict).toEqual(PROGRAMS.filter((program) => REACHABLE[program].includes(verdict)));
  }
});

it("tells what was never come to, and what should not have been", () => {
  const all = Object.fromEntries(
    PROGRAMS.flatMap((program) => REACHABLE[program].map((verdict) => [`${program}.${verdict}`, 2])),
  ) as Verdicts;
  expect(coverageOf([all])).toMatchObject({ missing: [], unknown: [] });
  const { "app_outbound.drained": _, ...rest } = all;
  const { missing, unknown, table } = coverageOf([rest, { "ztunnel_lookup.copied": 1 }]);
  expect(missing).toEqual(["app_outbound.drained"]);
  expect(unknown).toEqual(["ztunnel_lookup.copied"]);
  expect(table).toMatch(/drained +NEVER/);
});
