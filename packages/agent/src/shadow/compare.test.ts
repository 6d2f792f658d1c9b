import type { ShadowCount } from "@millrace/core";
import { expect, test } from "vitest";
import { compareCounters, differencesOf } from "./compare.ts";
import type { ShadowedDocument } from "./shadow-document.ts";

const count = (direction: ShadowCount["direction"], verdict: string, fate: ShadowCount["fate"], n: number) => ({
  direction,
  verdict,
  fate,
  connections: n,
  packets: 10 * n,
});

const workload = (name: string, more: Partial<ShadowedDocument> = {}): ShadowedDocument => ({
  uid: `uid-${name}`,
  namespace: "shop",
  name,
  objects: ["one"],
  isEnrolled: true,
  problems: [],
  ...more,
});

test("packets are compared with packets, connections with connections, of all workloads together", () => {
  const workloads = [
    workload("web", {
      counts: [count("outbound", "captured", "captured", 3), count("outbound", "excluded", "let by", 9)],
    }),
    workload("db", {
      counts: [count("outbound", "captured", "captured", 1), count("inbound", "captured", "captured", 2)],
    }),
  ];
  expect(
    compareCounters("ebpf", { "app_outbound.captured": 5 }, { "app_outbound.captured": 47 }, workloads),
  ).toMatchObject([
    { what: "packets captured, outbound", shadow: 40, active: 42 },
    { what: "packets captured, inbound", shadow: 20, active: 0 },
  ]);
  expect(
    compareCounters("iptables", { "mangle.out.captured": 5 }, { "mangle.out.captured": 9 }, workloads),
  ).toMatchObject([{ what: "connections captured, outbound", shadow: 4, active: 4 }]);
  expect(compareCounters("another", {}, {}, workloads)).toEqual([]);
});

test("a counter that has begun anew is not compared", () => {
  const [compared] = compareCounters("iptables", { "mangle.out.captured": 5 }, { "mangle.out.captured": 2 }, []);
  expect(compared).toEqual({ what: "connections captured, outbound", shadow: 0, counter: "mangle.out.captured" });
});

test("members that one captures and the other does not are told, with the reason", () => {
  const refused = { code: "ERR_BRIDGE", message: "no gateway" };
  const partly = { code: "ERR_ADDRESS_IN_USE", message: "198.18.0.1 is another's" };
  const workloads = [
    workload("same"),
    workload("refused", { refused }),
    workload("part", { partly }),
    workload("failed", { isEnrolled: false }),
    workload("neither", { isEnrolled: false, refused }),
  ];
  const statuses = new Map([
    ["uid-failed", { state: "failed" as const, reason: "ERR_MAP_FULL: full", problems: ["nothing of it is enrolled"] }],
  ]);
  expect(differencesOf("ebpf", "iptables", workloads, statuses)).toEqual([
    "shop/refused: ebpf captures it, iptables would not: ERR_BRIDGE: no gateway",
    "shop/part: ebpf captures it, iptables would in part: ERR_ADDRESS_IN_USE: 198.18.0.1 is another's",
    "shop/failed: iptables would capture it, by ebpf it is failed: ERR_MAP_FULL: full; nothing of it is enrolled",
  ]);
});

test("what came to a member past the proxy is told, but not where eBPF serves, whose programs come behind", () => {
  const workloads = [
    workload("web", {
      counts: [count("inbound", "captured", "captured", 2), count("inbound", "delivered", "delivered", 5)],
    }),
  ];
  expect(differencesOf("iptables", "ebpf", workloads, new Map())).toEqual([
    "shop/web: 2 connections came to it past the proxy, which ebpf would capture",
  ]);
  expect(differencesOf("ebpf", "ebpf", workloads, new Map())).toEqual([]);
});
