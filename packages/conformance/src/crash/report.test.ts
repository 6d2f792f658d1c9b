import { describe, expect, it } from "vitest";
import { CrashReport, type PointResult } from "./report.ts";

const what = "ebpf-tcx × enrol × bpf LINK_CREATE BPF_TCX_INGRESS (pool) #1 × after";
const result = (more: Partial<PointResult> = {}): PointResult => ({
  what,
  verdict: "converged",
  details: [],
  escaped: 0,
  began: 1_000,
  ended: 3_000,
  ...more,
});
const quiet = { connections: 100, failed: [], streams: 8, broken: [] };

function reported(tell: (report: CrashReport) => void): { lines: string[]; isGood: boolean } {
  const lines: string[] = [];
  const report = new CrashReport((line) => lines.push(line));
  tell(report);
  return { isGood: report.end(), lines };
}

describe("a report", () => {
  it("names each point, and ends with what it comes to", () => {
    const { lines, isGood } = reported((report) => {
      report.point(result());
      report.traffic("ebpf-tcx", quiet, 90);
    });
    expect(lines[0]).toBe(`✓ ${what} × converged in 2.0 s`);
    expect(lines.at(-1)).toBe("crash: 1 points, 1 converged, 0 leaks");
    expect(isGood).toBe(true);
  });

  const failed = [{ at: 2_000, what: "m1 to w1: ECONNRESET" }];
  it.each<[string, (report: CrashReport) => void, RegExp]>([
    ["the node is not as it should be", (r) => r.point(result({ verdict: "diverged" })), /2 points, 1 converged/],
    [
      "the agent was not killed where it was to be",
      (r) => r.point(result({ verdict: "missed" })),
      /2 points, 1 converged/,
    ],
    ["connections escaped", (r) => r.point(result({ escaped: 2 })), /2 escaped/],
    ["something is left after an uninstall", (r) => r.leaks("x", ["n1: pins: + y"]), /1 leaks/],
    ["a connection failed", (r) => r.traffic("x", { ...quiet, failed }, 9), /1 failed/],
    ["a stream broke", (r) => r.traffic("x", { ...quiet, broken: ["EOF"] }, 9), /1 streams broken/],
    ["nothing came by the proxy", (r) => r.traffic("x", quiet, 0), /no connection was seen/],
  ])("is bad when %s", (_, tell, line) => {
    const { lines, isGood } = reported((report) => {
      report.point(result());
      tell(report);
    });
    expect(isGood).toBe(false);
    expect(lines.join("\n")).toMatch(line);
  });

  it("is bad when no point was tried", () => {
    expect(reported(() => undefined)).toMatchObject({ isGood: false });
  });

  it("tells at which point a connection failed", () => {
    const { lines } = reported((report) => {
      report.point(result());
      report.traffic("x", { ...quiet, failed }, 9);
    });
    expect(lines.join("\n")).toMatch(/failed 1970-.* at ebpf-tcx × enrol × .*: m1 to w1: ECONNRESET/);
  });
});
