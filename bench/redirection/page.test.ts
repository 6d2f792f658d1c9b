import { expect, test } from "vitest";
import { charts } from "./charts.ts";
import { page } from "./page.ts";
import { resultsOf } from "./testing/results.ts";

function pageOf(busy: number): string {
  const found = resultsOf(busy);
  return page(found, charts(found.rows));
}

test("it says where and of what, the ratios, the charts and the figures", () => {
  const text = pageOf(0.02);
  for (const part of ["Some processor, 2 processors, 8 GiB", "Linux 6.18.0", "0123456789", "1.5 minutes"]) {
    expect(text).toContain(part);
  }
  expect(text).toContain("ratio p75-ebpf/iptables 0.600 (min 0.600, max 0.600, n 2)");
  expect(text).toContain("](performance/max-qps.svg)");
  expect(text).toContain("| p75-1, P75 in ms **invalid**: direct: 7000 of 8000 requests/s;");
  expect(text).not.toContain("undefined");
});

test("it warns of a busy machine, and of no other", () => {
  expect(pageOf(0.9)).toContain(
    "**The machine was busy with other things** (90 % of its processors' time before the first run)",
  );
  expect(pageOf(0.02)).not.toContain("busy");
});
