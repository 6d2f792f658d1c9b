import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, onTestFinished, test } from "vitest";
import { CHECK } from "./plan.ts";
import type { AgentResults } from "./results.ts";

const MAIN = join(import.meta.dirname, "../agent.ts");
/** How long all of it may take on a machine that is busy with other things. */
const PATIENCE_MS = 900_000;

test("every part measures what it says, and what is written down is whole", { timeout: PATIENCE_MS }, async () => {
  const directory = mkdtempSync(join(tmpdir(), "millrace-bench-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const file = join(directory, "performance.md");
  const { stdout } = await promisify(execFile)(process.execPath, [
    "--conditions=source",
    ...[MAIN, "--plan", "check", "--page", file],
  ]);

  const results: AgentResults = JSON.parse(readFileSync(join(directory, "performance/agent.json"), "utf8"));
  const { growth, running, throughput, programs } = results;
  const names = CHECK.variants.map(({ name }) => name);
  expect(growth.map(({ count, variant }) => `${variant} ${count}`)).toEqual(
    CHECK.counts.flatMap((count) => names.map((name) => `${name} ${count}`)),
  );
  for (const { enrol, rebuild, changedAgain, ...one } of growth) {
    const what = `${one.variant} ${one.count}`;
    expect(enrol.p50, what).toBeGreaterThan(0);
    expect(rebuild, what).toBeGreaterThan(enrol.p50);
    expect(changedAgain, what).toBe(0);
  }
  expect(running.map(({ variant, count }) => `${variant} ${count}`)).toEqual([`${names[0]} ${CHECK.running.count}`]);
  for (const { count, start, enrol, log, rssMib, peakRssMib } of running) {
    expect(start.enrolledMs).toBeGreaterThan(start.servingMs);
    expect(start.againMs).toBeGreaterThan(0);
    expect(enrol.p50).toBeGreaterThan(0);
    // A pod is seen, its interface found, it is asked for and enrolled.
    expect(log.events).toBeGreaterThan(4 * count);
    expect(log.bytes).toBeGreaterThan(100 * log.events);
    expect(rssMib).toBeGreaterThan(20);
    expect(peakRssMib).toBeGreaterThanOrEqual(rssMib);
  }
  // Each comes and is enrolled.
  expect(throughput.events).toBeGreaterThan(4 * CHECK.pods);
  const [empty, ...others] = programs;
  expect(empty?.name).toBe("an empty program");
  expect(others.length).toBeGreaterThan(5);
  for (const { name, nanoseconds } of programs) expect(nanoseconds, name).toBeGreaterThan(0);
  expect(stdout).toMatch(/^agent rss-mib \d+\.\d$/m);
  expect(stdout).toMatch(/^agent idle-cpu-percent \d+\.\d\d$/m);
  expect(readFileSync(file, "utf8")).toContain("| ebpf-clsact | 2 |");
  for (const picture of ["agent-enrol.svg", "agent-rebuild.png"]) {
    expect(existsSync(join(directory, "performance", picture)), picture).toBe(true);
  }
});
