import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { charts } from "../redirection/charts.ts";
import { resultsOf } from "../redirection/testing/results.ts";
import { write as writeRedirection } from "../redirection/write.ts";
import { growthCharts } from "./charts.ts";
import { HEADING, section, sectionOf, withSection } from "./section.ts";
import { agentResultsOf } from "./testing/results.ts";
import { write } from "./write.ts";

function sectionAt(busy: number): string {
  const results = agentResultsOf(busy);
  return section(results, growthCharts(results.growth));
}

test("it says where and of what, the lines, the growth and what runs", () => {
  const text = sectionAt(0.02);
  for (const part of [
    "Some processor, 2 processors, 8 GiB, Linux 6.18.0; commit 0123456789",
    "agent enrol-p99-ms-4000 4000.0",
    "| ebpf-tcx | 4,000 | 2,000 ms | 4,000 ms | 4,000 ms | 2,000 ms | 4,000 ms | 40.0 s | 10.0 ms |",
    "| log, for each workload that came | 10.0 events, 3,000 bytes | 10.0 events, 3,000 bytes |",
    "| processor time, of one processor | 0.25 % | 0.15 % |",
    "10,000 events/s",
    "| app_outbound, IPv4 captured | 118 |",
    "](performance/agent-rebuild.svg)",
  ]) {
    expect(text).toContain(part);
  }
  expect(text).not.toContain("undefined");
});

test("it warns of a busy machine, and of no other", () => {
  expect(sectionAt(0.9)).toContain("**The machine was busy with other things** (90 %");
  expect(sectionAt(0.02)).not.toContain("busy");
});

test("it takes the place of the one before, and leaves the rest of the page", () => {
  const page = "# Performance\n\nSome ratios.\n";
  const first = withSection(page, `${HEADING}\n\nOld.\n`);
  expect(first).toBe(`# Performance\n\nSome ratios.\n\n${HEADING}\n\nOld.\n`);
  expect(withSection(first, `${HEADING}\n\nNew.\n`)).toBe(`# Performance\n\nSome ratios.\n\n${HEADING}\n\nNew.\n`);
  expect(sectionOf(page)).toBe("");
});

test("either measurement writes its part of one page and leaves the other's", async () => {
  const directory = mkdtempSync(join(tmpdir(), "millrace-bench-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const file = join(directory, "performance.md");
  const pageNow = () => readFileSync(file, "utf8");
  const [agent, redirection] = [agentResultsOf(0), resultsOf(0)];
  writeFileSync(file, "# Performance\n\nNothing yet.\n");

  await write(agent, growthCharts(agent.growth), file);
  expect(pageNow()).toContain("Nothing yet.");
  await writeRedirection(redirection, charts(redirection.rows), file);
  expect(pageNow()).not.toContain("Nothing yet.");
  expect(pageNow()).toContain("ratio p75-ebpf/iptables");
  expect(sectionOf(pageNow())).toBe(sectionAt(0));
  const both = pageNow();
  await write(agent, growthCharts(agent.growth), file);
  expect(pageNow()).toBe(both);
  expect(JSON.parse(readFileSync(join(directory, "performance/agent.json"), "utf8"))).toEqual(agent);
});
