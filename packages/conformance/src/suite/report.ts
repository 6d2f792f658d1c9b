import { release } from "node:os";
import type { TrialResult } from "./run.ts";

/** What `--report` writes. */
export interface Report {
  readonly backend: string;
  readonly backendConfig: object;
  readonly kernel: string;
  readonly startedAt: string;
  readonly seconds: number;
  readonly passed: number;
  readonly failed: number;
  readonly results: readonly TrialResult[];
}

export function buildReport(
  backend: string,
  backendConfig: object,
  startedAt: Date,
  results: readonly TrialResult[],
): Report {
  const passed = results.filter((result) => result.passed).length;
  return {
    backend,
    backendConfig,
    kernel: release(),
    startedAt: startedAt.toISOString(),
    seconds: Math.round((Date.now() - startedAt.getTime()) / 100) / 10,
    passed,
    failed: results.length - passed,
    results,
  };
}

/** One line as a trial ends; its evidence below it when it failed. */
export function renderResult(result: TrialResult): string {
  const name = `${result.number?.toString().padStart(2) ?? " x"}  ${result.id.padEnd(28)} IPv${result.family}  ${result.temperature}`;
  const line = `${result.passed ? "pass" : "FAIL"}  ${name}  ${String(result.ms).padStart(6)} ms`;
  if (result.passed) return line;
  const details = [result.failure ?? "", ...result.evidence.map((seen) => `saw ${seen}`)].join("\n");
  return `${line}\n${details.replace(/^/gm, "        ")}`;
}

/** Behaviour × family and temperature. `·`: not meant for that. */
export function renderTable(results: readonly TrialResult[]): string {
  const columns = [
    { title: "v4 cold", family: 4, temperature: "cold" },
    { title: "v4 warm", family: 4, temperature: "warm" },
    { title: "v6 cold", family: 6, temperature: "cold" },
    { title: "v6 warm", family: 6, temperature: "warm" },
  ] as const;
  const ids = [...new Set(results.map(({ id }) => id))];
  const width = Math.max(9, ...ids.map((id) => id.length)) + 4;
  const rows = ids.map((id) => {
    const own = results.filter((result) => result.id === id);
    const cells = columns.map(({ family, temperature }) => {
      const result = own.find((candidate) => candidate.family === family && candidate.temperature === temperature);
      return (result === undefined ? "·" : result.passed ? "pass" : "FAIL").padEnd(9);
    });
    return `${`${own[0]?.number?.toString().padStart(2) ?? " x"}  ${id}`.padEnd(width)}  ${cells.join("")}`.trimEnd();
  });
  const head = `${"    behaviour".padEnd(width)}  ${columns.map(({ title }) => title.padEnd(9)).join("")}`.trimEnd();
  return [head, ...rows].join("\n");
}
