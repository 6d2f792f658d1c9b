import type { DataPathEvent } from "@millrace/plugin-ebpf";
import { expect, test } from "vitest";
import { PodNames } from "./pod-names.ts";
import { eventText, matches, tell } from "./told-event.ts";

const EVENT: DataPathEvent = {
  atNs: 4_000_000_000n,
  program: "ztunnel_tproxy",
  verdict: "dropped_no_listener",
  source: "198.18.1.10",
  sourcePort: 40000,
  destination: "2001:2:0:1::b",
  destinationPort: 80,
  ifindex: 7,
  bytes: 74,
  tcpFlags: 0x12,
};
const podOf = (address: string) => (address === "198.18.1.10" ? "shop/web" : undefined);
const told = tell(EVENT, podOf, 5_500_000_000n, Date.UTC(2026, 0, 1));

test("an event has the time of the wall clock, the pods' names and the flags' names", () => {
  expect(told).toEqual({
    time: "2025-12-31T23:59:58.500Z",
    program: "ztunnel_tproxy",
    verdict: "dropped_no_listener",
    source: { address: "198.18.1.10", port: 40000, pod: "shop/web" },
    destination: { address: "2001:2:0:1::b", port: 80 },
    flags: ["SYN", "ACK"],
    bytes: 74,
    ifindex: 7,
  });
});

test("its line", () => {
  expect(eventText(told)).toBe(
    "2025-12-31T23:59:58.500Z  ztunnel_tproxy.dropped_no_listener  198.18.1.10:40000 (shop/web) → [2001:2:0:1::b]:80  SYN,ACK 74 bytes",
  );
  expect(eventText({ ...told, flags: [], bytes: 0 })).toMatch(/:80$/);
});

test("filters ask for either end's pod, and for some verdicts", () => {
  expect(matches(told, {}, false)).toBe(true);
  expect(matches(told, { pod: "shop/web", verdicts: ["dropped_no_listener", "captured"] }, false)).toBe(true);
  expect(matches(told, { pod: "shop/api" }, true)).toBe(false);
  expect(matches(told, { verdicts: ["captured"] }, true)).toBe(false);
});

test("a frame that could not be followed is of the pod that was asked for, where the programs tell of no other", () => {
  const nameless = { ...told, bytes: 0, source: { address: "::", port: 0 }, destination: { address: "::", port: 0 } };
  expect(matches(nameless, { pod: "shop/web" }, true)).toBe(true);
  expect(matches(nameless, { pod: "shop/web" }, false)).toBe(false);
  expect(matches({ ...nameless, ifindex: 0 }, { pod: "shop/web" }, true)).toBe(false);
});

test("names are asked for again for an address that has none, when the last answer is old", async () => {
  let asked = 0;
  const pod = { namespace: "shop", name: "web", addresses: ["198.18.1.10"] };
  const names = new PodNames({
    status: async () => {
      asked++;
      return { workloads: [pod], proxies: [] } as never;
    },
  });
  await names.learn(["198.18.1.10"]);
  await names.learn(["198.18.9.9"]);
  expect([asked, names.of("198.18.1.10"), names.of("198.18.9.9")]).toEqual([1, "shop/web", undefined]);
  expect([names.addressesOf("shop/web"), names.addressesOf("shop/api")]).toEqual([["198.18.1.10"], []]);
});
