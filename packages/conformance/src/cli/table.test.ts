import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { accountOf } from "../agent/log-account.ts";
import { buildReport } from "../report/report.ts";
import { tableOf } from "./table.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "millrace-table-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

function written(backend: string): string {
  const trial = { id: "outbound-tcp", number: 1, title: "t", family: 4, temperature: "cold", passed: true } as const;
  const report = buildReport(
    {
      backend,
      backendConfig: {},
      services: "nft",
      pods: "routed",
      commit: "0123",
      startedAt: new Date(),
      command: "run",
    },
    {
      results: [{ ...trial, ms: 1, evidence: [], differences: [] }],
      notApplicable: [],
      unclaimed: [{ id: "x-uninstall", title: "t" }],
      tunnels: [],
      logs: accountOf([]),
      logFailures: [],
    },
  );
  const file = join(directory, `${backend}.json`);
  writeFileSync(file, JSON.stringify(report));
  return file;
}

test("a report that was written becomes a table", () => {
  const table = tableOf([written("mine")]);
  expect(table).toContain("| 1 | `outbound-tcp` | yes | passed | not run | not run | not run |");
  expect(table).toContain("|  | `x-uninstall` | no | – | – | – | – |");
});

test("what is no report, and reports of two backends, are refused", () => {
  const wrong = join(directory, "wrong.json");
  writeFileSync(wrong, "{}");
  const refused = (message: RegExp) =>
    expect.objectContaining({ code: "ERR_SUITE_USAGE", message: expect.stringMatching(message) });
  expect(() => tableOf([wrong])).toThrow(
    refused(/wrong\.json is no report: give a file that run --report wrote, \.json \(.*expected string/),
  );
  expect(() => tableOf([join(directory, "none.json")])).toThrow(refused(/none\.json is no report.*ENOENT/));
  expect(() => tableOf([written("a"), written("b")])).toThrow(refused(/reports of a and b/));
});
