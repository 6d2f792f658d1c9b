import type { Chart } from "../chart.ts";
import type { Growth } from "./growth.ts";

/** How the two grow with the number of workloads. Both axes double: what grows as the number does is a straight line as steep as the other axis, and what does not, a level one. */
export function growthCharts(growth: readonly Growth[]): Chart[] {
  const kinds: readonly [string, string, string, (growth: Growth) => number][] = [
    ["agent-enrol", "Enrolling one workload, 99th percentile", "ms", ({ enrol }) => enrol.p99],
    ["agent-rebuild", "Rebuilding the whole node", "s", ({ rebuild }) => rebuild / 1e3],
  ];
  // One point is no line.
  if (new Set(growth.map(({ count }) => count)).size < 2) return [];
  return kinds.map(([name, title, axis, figure]) => ({
    name,
    title,
    across: "workloads",
    axis,
    isLogarithmic: true,
    series: [...Map.groupBy(growth, ({ variant }) => variant)].map(([mode, own]) => ({
      mode,
      points: own.map((one) => [one.count, figure(one)] as const),
    })),
  }));
}
