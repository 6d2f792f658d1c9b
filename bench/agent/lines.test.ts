import { expect, test } from "vitest";
import { agentLines } from "./lines.ts";
import { agentResultsOf } from "./testing/results.ts";

test("the most of what all ways take, and what enrolling takes by clsact", () => {
  const { growth, running } = agentResultsOf(0);
  const slower = growth.map((one) =>
    one.variant === "ebpf-tcx" ? { ...one, enrol: { ...one.enrol, p99: 1e6 } } : one,
  );
  expect(agentLines({ growth: slower, running })).toEqual([
    "agent rss-mib 101.0",
    "agent idle-cpu-percent 0.25",
    "agent enrol-p99-ms-250 250.0",
    "agent enrol-p99-ms-4000 4000.0",
  ]);
});

test("no line for what was not measured", () => {
  const { growth } = agentResultsOf(0);
  expect(agentLines({ growth: growth.filter(({ count }) => count === 250), running: [] })).toEqual([
    "agent enrol-p99-ms-250 250.0",
  ]);
  expect(agentLines({ growth: [], running: [] })).toEqual([]);
});
