import { expect, test } from "vitest";
import { HTTP, latency } from "./loads.ts";
import { sampleOf } from "./testing/sample.ts";
import { invalidity, invalidRow, wrongWay } from "./validity.ts";

test("proxied is what the proxy has accepted, and received all of", () => {
  expect(wrongWay(true, { accepted: 1, bytes: 1_000 }, 1_000)).toBeUndefined();
  expect(wrongWay(true, { accepted: 0, bytes: 1_000 }, 1_000)).toBe("the proxy accepted no connection");
  expect(wrongWay(true, { accepted: 16, bytes: 999 }, 1_000)).toBe("of 1000 bytes only 999 came to the proxy");
});

test("direct is what the proxy has no part in", () => {
  expect(wrongWay(false, { accepted: 0, bytes: 60 }, 1_000)).toBeUndefined();
  expect(wrongWay(false, { accepted: 1, bytes: 60 }, 1_000)).toMatch(/accepted 1 connections/);
});

test.each([
  [7_899, "direct: 7899 of 8000 requests/s"],
  [7_900, undefined],
])("a latency at %d of 8,000 requests/s: %s", (requests, reason) => {
  expect(invalidity(sampleOf({ load: latency(16), requests }))).toBe(reason);
});

test("a rate may be any but of failures or of nothing", () => {
  expect(invalidity(sampleOf({ load: HTTP, requests: 10 }))).toBeUndefined();
  expect(invalidity(sampleOf({ load: HTTP, requests: 10, failed: 1 }))).toBe("direct: 1 of 10 requests failed");
  expect(invalidity(sampleOf({ load: HTTP, requests: 0 }))).toBe("direct: no request was answered");
});

test("one mode that cannot keep up makes its row invalid", () => {
  const load = latency(16);
  const keptUp = sampleOf({ load, requests: 8_000 });
  expect(invalidRow([keptUp, keptUp])).toBeUndefined();
  const slow = sampleOf({ load, mode: "iptables-nft", requests: 4_000 });
  const slower = { ...slow, requests: 3_000 };
  expect(invalidRow([keptUp, slow, slower])).toBe("iptables-nft: 4000 of 8000 requests/s");
});

test("a figure that is no number makes its row invalid", () => {
  const samples = [sampleOf({ load: latency(16), requests: 8_000, p75: Number.NaN })];
  expect(invalidRow(samples)).toBe("direct: its figure is no number");
});
