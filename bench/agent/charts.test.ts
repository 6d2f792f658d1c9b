import { expect, test } from "vitest";
import { toSvg } from "../chart.ts";
import { growthCharts } from "./charts.ts";
import { agentResultsOf } from "./testing/results.ts";

const { growth } = agentResultsOf(0);

test("one point for each way and number of workloads: milliseconds to enrol one, seconds to rebuild all", () => {
  const [enrol, rebuild] = growthCharts(growth);
  expect(enrol?.series.map(({ mode }) => mode)).toEqual(["ebpf-clsact", "ebpf-tcx"]);
  expect(enrol?.series[0]?.points.at(-1)).toEqual([4_000, 4_000]);
  expect(rebuild?.series[1]?.points.at(-1)).toEqual([4_000, 40]);
});

test("one number of workloads is no line", () => {
  expect(growthCharts(growth.filter(({ count }) => count === 50))).toEqual([]);
});

test("as SVG: what is counted, along axes that both double", () => {
  const svg = toSvg(growthCharts(growth)[1] as Parameters<typeof toSvg>[0]);
  for (const text of ["Rebuilding the whole node", "workloads", "ebpf-clsact", "ebpf-tcx", "64", "4,096"]) {
    expect(svg).toContain(`>${text}</text>`);
  }
});
