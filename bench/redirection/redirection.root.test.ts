import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, onTestFinished, test } from "vitest";
import { MODES } from "./modes.ts";
import { CHECK } from "./plan.ts";
import type { Results } from "./results.ts";

const MAIN = join(import.meta.dirname, "../redirection.ts");
/** How long all modes may take on a machine that is busy with other things. */
const PATIENCE_MS = 900_000;

test("every mode goes its own way, and what is written down is whole", { timeout: PATIENCE_MS }, async () => {
  const directory = mkdtempSync(join(tmpdir(), "millrace-bench-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const file = join(directory, "performance.md");
  const { stdout } = await promisify(execFile)(process.execPath, [
    "--conditions=source",
    ...[MAIN, "--plan", "check", "--page", file],
  ]);

  const { samples, rows, plan }: Results = JSON.parse(
    readFileSync(join(directory, "performance/results.json"), "utf8"),
  );
  expect(plan).toBe("check");
  const loads = CHECK.series.flatMap(({ rig, loads }) => loads.map(({ name }) => `${rig} ${name}`));
  expect(samples.map(({ rig, mode, load }) => `${mode} ${rig} ${load.name}`)).toEqual(
    CHECK.series.flatMap(({ rig, loads }) =>
      MODES.flatMap(({ name }) => loads.map((load) => `${name} ${rig} ${load.name}`)),
    ),
  );
  for (const { name, isProxied } of MODES) {
    for (const { load, requests, failed, bytes, proxy } of samples.filter(({ mode }) => mode === name)) {
      const what = `${name} ${load.name}`;
      expect(requests, what).toBeGreaterThan(0);
      expect(failed, what).toBe(0);
      if (isProxied) expect(proxy.bytes, what).toBeGreaterThanOrEqual(bytes);
      expect(proxy.accepted > 0, what).toBe(isProxied);
    }
  }
  expect(rows.map(({ cells }) => cells.length)).toEqual(loads.map(() => MODES.length));
  expect(stdout).toMatch(/^ratio http-ebpf\/direct \d+\.\d{3} \(min \d+\.\d{3}, max \d+\.\d{3}, n 1\)$/m);
  expect(readFileSync(file, "utf8")).toContain("| http, requests/s |");
  for (const picture of ["max-qps.svg", "max-qps.png"]) {
    expect(existsSync(join(directory, "performance", picture)), picture).toBe(true);
  }
});
