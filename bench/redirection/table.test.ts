import { expect, test } from "vitest";
import { latency } from "./loads.ts";
import { rows } from "./rows.ts";
import { figure, tables } from "./table.ts";
import { sampleOf } from "./testing/sample.ts";

test.each([
  [219_900, "220,000"],
  [1234.5, "1,230"],
  [12.345, "12.3"],
  [0.123456, "0.123"],
])("%d is written %s", (value, text) => {
  expect(figure(value)).toBe(text);
});

test("a table for each of the circumstances, a line for each load, a column for each mode", () => {
  const text = tables(
    rows([
      sampleOf({ mode: "direct", requests: 1_000 }),
      sampleOf({ mode: "direct", requests: 3_000 }),
      sampleOf({ mode: "direct", requests: 2_000 }),
      sampleOf({ mode: "ebpf-tcx", requests: 900 }),
      sampleOf({ mode: "direct", requests: 10, path: "two-nodes" }),
    ]),
  );
  expect(text).toBe(`### One processor, one node

| load | direct | ebpf-tcx |
| --- | --- | --- |
| http, requests/s | 2,000 [1,000 … 3,000] · 25 % · 500 µs | 900 [900 … 900] · 25 % · 1,110 µs |

### One processor, two nodes

| load | direct |
| --- | --- |
| http, requests/s | 10.0 [10.0 … 10.0] · 25 % · 100,000 µs |`);
});

test("a row that is invalid says why", () => {
  expect(tables(rows([sampleOf({ load: latency(16), requests: 100 })]))).toContain(
    "| p75-16, P75 in ms **invalid**: direct: 100 of 8000 requests/s |",
  );
});
