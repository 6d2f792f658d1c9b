import { readFileSync } from "node:fs";
import { NEVER } from "rxjs";
import { expect, test } from "vitest";
import { Metrics } from "./metrics.ts";

const PAGE = readFileSync(new URL("../../../../docs/operating.md", import.meta.url), "utf8");

test("docs/operating.md names every metric with its labels, and none that is not there", () => {
  using metrics = new Metrics({ read: () => expect.unreachable(), records$: NEVER, cniAnswers$: NEVER });
  const rows = [...PAGE.matchAll(/^\| `(millrace_\w+)` \|([^|]*)\|/gm)];
  const documented = rows.map(([, name, labels = ""]) => [
    name,
    [...labels.matchAll(/`(\w+)`/g)].map(([, label]) => label),
  ]);
  expect(Object.fromEntries(documented)).toEqual(Object.fromEntries(metrics.labelNames));
  expect(documented).toHaveLength(metrics.labelNames.size);
});

test("alerts are about metrics that are there", () => {
  using metrics = new Metrics({ read: () => expect.unreachable(), records$: NEVER, cniAnswers$: NEVER });
  const alerts = PAGE.slice(PAGE.indexOf("## Alerts"));
  const named = [...alerts.matchAll(/millrace_\w+/g)].map(([name]) => name.replace(/_bucket$/, ""));
  expect(named.length).toBeGreaterThan(10);
  expect(named.filter((name) => !metrics.labelNames.has(name))).toEqual([]);
});
