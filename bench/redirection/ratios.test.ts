import { expect, test } from "vitest";
import { HTTP, LATENCY_CONNECTIONS, latency } from "./loads.ts";
import { ratioLine, ratios } from "./ratios.ts";
import type { Sample } from "./sample.ts";
import { sampleOf } from "./testing/sample.ts";

const http = (mode: string, ...rates: number[]): Sample[] =>
  rates.map((requests, index) => sampleOf({ load: HTTP, mode, requests, repetition: index + 1 }));

test("each repetition is compared with its own: the machine was slower in the second one", () => {
  const samples = [...http("direct", 1_000, 500, 1_000), ...http("ebpf-tcx", 700, 350, 600)];
  const spread = { median: 0.7, min: 0.6, max: 0.7, n: 3 };
  expect(ratios(samples)).toEqual([{ name: "http-ebpf/direct", spread, each: [0.7, 0.7, 0.6] }]);
});

test("neither other circumstances nor other loads count", () => {
  const [direct, ebpf] = [http("direct", 1_000), http("ebpf-tcx", 500)];
  const others = (changed: Partial<Sample>) => [...direct, ...ebpf].map((sample) => ({ ...sample, ...changed }));
  expect(ratios(others({ pinning: "any-cpu" }))).toEqual([]);
  expect(ratios(others({ path: "two-nodes" }))).toEqual([]);
  expect(ratios(others({ rig: "haproxy" })).map(({ name }) => name)).toEqual(["haproxy-http-ebpf/direct"]);
  expect(ratios(others({ load: latency(1), requests: 8_000 }))).toEqual([]);
});

test("latencies are compared where every mode had the load that was asked for", () => {
  const load = latency(LATENCY_CONNECTIONS);
  const at = (mode: string, p75: number, requests: number) => sampleOf({ load, mode, p75, requests });
  const samples = [at("ebpf-tcx", 0.2, 8_000), at("iptables-nft", 0.4, 8_000)];
  expect(ratios(samples)).toMatchObject([{ name: "p75-ebpf/iptables", spread: { median: 0.5 } }]);
  const withSlow = [...samples, at("explicit", 9, 100)];
  expect(ratios(withSlow)).toEqual([{ name: "p75-ebpf/iptables", invalid: "explicit: 100 of 8000 requests/s" }]);
});

test("a line for each", () => {
  const spread = { median: 0.6543, min: 0.6, max: 0.7, n: 5 };
  expect(ratioLine({ name: "http-ebpf/direct", spread, each: [] })).toBe(
    "ratio http-ebpf/direct 0.654 (min 0.600, max 0.700, n 5)",
  );
  expect(ratioLine({ name: "p75-ebpf/direct", invalid: "too slow" })).toBe("ratio p75-ebpf/direct invalid (too slow)");
});
