import { expect, test } from "vitest";
import { BULK, CONNECT, HTTP, latency } from "./loads.ts";
import { clientShare, cpuPerRequest, figureOf } from "./sample.ts";
import { sampleOf } from "./testing/sample.ts";

test.each([
  [HTTP, 500],
  [CONNECT, 500],
  [BULK, 2.5],
  [latency(4), 0.25],
])("the figure of %j is %d", (load, figure) => {
  expect(figureOf(sampleOf({ load, requests: 1_000, seconds: 2, bytes: 5_000_000, p75: 0.25 }))).toBe(figure);
});

test("processor time: the client's part, and for a request", () => {
  const sample = sampleOf({ requests: 1_000, cpu: { client: 0.3, proxy: 0.6, server: 0.3 } });
  expect(clientShare(sample)).toBeCloseTo(0.25);
  expect(cpuPerRequest(sample)).toBeCloseTo(1_200);
});
