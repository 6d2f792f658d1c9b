import { expect, test } from "vitest";
import { compare, comparedText, withBase } from "./compared.ts";
import { HTTP, LATENCY_CONNECTIONS, latency } from "./loads.ts";
import { QUICK } from "./plan.ts";
import type { Sample } from "./sample.ts";
import { sampleOf } from "./testing/sample.ts";

const http = (mode: string, ...rates: number[]): Sample[] =>
  rates.map((requests, index) => sampleOf({ load: HTTP, mode, requests, repetition: index + 1 }));
const DIRECT = http("direct", 1_000, 1_000, 1_000);
const worse = (now: number[], base: number[]) =>
  compare([...DIRECT, ...http("ebpf-tcx", ...now), ...http("ebpf-tcx@base", ...base)]).map(({ isWorse }) => isWorse);

test("a plan has each mode of Millrace's once more, run by the other commit's", () => {
  const { modes } = withBase(QUICK, ["node", "/base/main.js"]);
  expect(modes.map(({ name }) => name)).toEqual([
    ...["direct", "explicit", "ebpf-tcx", "iptables-nft"],
    ...["ebpf-tcx@base", "iptables-nft@base"],
  ]);
  expect(modes.map(({ millrace }) => millrace?.[1])).toEqual([
    ...[undefined, undefined, undefined, undefined],
    ...["/base/main.js", "/base/main.js"],
  ]);
});

test("a ratio is worse that is more than 15 % below all of the other commit's, each time", () => {
  expect(worse([500, 500, 500], [600, 620, 640])).toEqual([true]);
  expect(worse([500, 500, 511], [600, 620, 640])).toEqual([false]);
  expect(worse([500, 500, 500], [580, 620, 640])).toEqual([false]);
  expect(worse([900, 900, 900], [600, 600, 600])).toEqual([false]);
});

test("a latency is worse that is higher; one that was not measured at its load is not judged", () => {
  const load = latency(LATENCY_CONNECTIONS);
  const at = (mode: string, p75: number, requests = 8_000) => sampleOf({ load, mode, p75, requests });
  const all = (now: number, requests?: number) =>
    compare([at("direct", 0.1), at("ebpf-tcx", now, requests), at("ebpf-tcx@base", 0.2)]);
  expect(all(0.24)).toMatchObject([{ name: "p75-ebpf/direct", isWorse: true }]);
  expect(all(0.22)).toMatchObject([{ isWorse: false }]);
  expect(all(0.24, 100)).toMatchObject([{ isWorse: false, now: { invalid: expect.any(String) } }]);
});

test("what Millrace has no part in is not compared", () => {
  const samples = [...DIRECT, ...http("explicit", 500), ...http("ebpf-tcx", 600), ...http("ebpf-tcx@base", 600)];
  expect(compare(samples).map(({ name }) => name)).toEqual(["http-ebpf/direct", "http-ebpf/explicit"]);
});

test("both lines, and what is worse", () => {
  const [found] = compare([...DIRECT, ...http("ebpf-tcx", 500), ...http("ebpf-tcx@base", 600)]);
  expect(found && comparedText(found).split("\n")).toEqual([
    "ratio http-ebpf/direct 0.500 (min 0.500, max 0.500, n 1)",
    "      before: ratio http-ebpf/direct 0.600 (min 0.600, max 0.600, n 1)",
    "      WORSE in every repetition",
  ]);
});
