import { describe, expect, it } from "vitest";
import { buildReport, renderResult, renderTable } from "./report.ts";
import type { TrialResult } from "./run.ts";

const result = (over: Partial<TrialResult>): TrialResult => ({
  id: "outbound-tcp",
  number: 1,
  title: "t",
  family: 4,
  temperature: "cold",
  passed: true,
  ms: 12,
  evidence: ["the proxy saw: nothing"],
  ...over,
});

describe("the report", () => {
  const results = [
    result({}),
    result({ family: 6, temperature: "warm", passed: false, failure: "no capture" }),
    result({ id: "x-thing", number: undefined as never, temperature: "warm" }),
  ];

  it("counts", () => {
    expect(buildReport("ebpf", { attach: "tcx" }, new Date(), results)).toMatchObject({ passed: 2, failed: 1 });
  });

  it("shows evidence of failures only", () => {
    expect(renderResult(results[0] as TrialResult)).toBe(
      "pass   1  outbound-tcp                 IPv4  cold      12 ms",
    );
    expect(renderResult(results[1] as TrialResult)).toMatch(
      /^FAIL .*IPv6 {2}warm.*\n +no capture\n +saw the proxy saw: nothing$/,
    );
  });

  it("has a row for each behaviour and a cell for each family and temperature", () => {
    expect(renderTable(results).split("\n")).toEqual([
      "    behaviour     v4 cold  v4 warm  v6 cold  v6 warm",
      " 1  outbound-tcp  pass     ·        ·        FAIL",
      " x  x-thing       ·        pass     ·        ·",
    ]);
  });
});
