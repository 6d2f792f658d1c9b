import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { expect, test } from "vitest";
import { entries, ROOT } from "./entries.ts";
import { apiReport } from "./report.ts";

const ADVICE =
  "what the package exports has changed. If that is meant: `make api-report` writes the report anew, and `npx changeset` says to whoever uses it what is different";

/** A compiler starts for each. */
const PATIENCE = { timeout: 300_000 };

test.each(entries)("$specifier exports what its report says", PATIENCE, (entry) => {
  const path = join(ROOT, entry.report);
  const recorded = existsSync(path) ? readFileSync(path, "utf8") : "";
  expect(apiReport(entry), `${entry.report}: ${ADVICE}`).toBe(recorded);
});

test("every report is of an entry", () => {
  const files = entries.map(({ report }) => basename(report)).sort();
  expect(readdirSync(join(ROOT, "api/reports")).sort()).toEqual(files);
});
