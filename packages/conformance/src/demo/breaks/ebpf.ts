import { readdirSync } from "node:fs";
import { join } from "node:path";
import type { LabPod } from "../../lab/lab-pod.ts";
import type { Stage } from "../stage.ts";
import type { Break } from "./break.ts";

/** Where node 1's agent has its pins. */
const pin = (stage: Stage, ...path: readonly string[]): string =>
  join(stage.lab.node(1).paths.bpffs, "millrace", "v1", ...path);

async function detach(stage: Stage, pod: LabPod, direction: "ingress" | "egress"): Promise<void> {
  const workload = pin(stage, "workloads", pod.uid);
  const [ifindex = ""] = readdirSync(workload);
  const link = join(workload, ifindex, direction);
  await stage.lab.node(1).namespace.runChecked("bpftool", ["link", "detach", "pinned", link]);
}

const hex = (bytes: Iterable<number>): string[] => [...bytes].map((byte) => byte.toString(16).padStart(2, "0"));

async function writeMap(stage: Stage, map: string, key: Iterable<number>, value: Iterable<number>): Promise<void> {
  const entry = ["key", "hex", ...hex(key), "value", "hex", ...hex(value)];
  await stage.lab
    .node(1)
    .namespace.runChecked("bpftool", ["map", "update", "pinned", pin(stage, "maps", map), ...entry]);
}

/** Key of the maps by address: 16 bytes, IPv4 as ::ffff:a.b.c.d. */
const mapped = (address: string): number[] => [...Array(10).fill(0), 0xff, 0xff, ...address.split(".").map(Number)];

/** What can be broken of the eBPF backend's. */
export const ebpfBreaks: readonly Break[] = [
  {
    name: "outbound-detached",
    description: "app_outbound taken off a member's veth: what leaves it is not captured",
    apply: (stage) => detach(stage, stage.cart, "ingress"),
  },
  {
    name: "inbound-detached",
    description: "app_inbound taken off a member's veth: what arrives is not captured",
    apply: (stage) => detach(stage, stage.web, "egress"),
  },
  {
    name: "ipv6-let-by",
    description: "a foreign program ahead of ours ends the chain for IPv6: only IPv4 is captured",
    apply: async (stage) => stage.neighbours.letIpv6By(),
  },
  {
    name: "proxy-map-empty",
    description: "no active proxy in the settings: members' TCP is dropped though a proxy is there",
    apply: (stage) => writeMap(stage, "settings", [0, 0, 0, 0], Array(8).fill(0)),
  },
  {
    name: "bypass-too-wide",
    description: "a server's address counts as the proxy's own: TCP to it is let by",
    apply: (stage) => writeMap(stage, "addresses", mapped(stage.db.address(4)), [2, 0, 0, 0]),
  },
  {
    name: "fail-open",
    description: "members' TCP passes while no proxy is there",
    before: "proxy-down",
    apply: (stage) => writeMap(stage, "settings", [0, 0, 0, 0], [0, 0, 1, 0, 0, 0, 0, 0]),
  },
  {
    name: "proxy-rule-removed",
    description: "the policy rule in the proxy's namespace is deleted: redirected packets are not local there",
    apply: async (stage) => {
      const proxy = stage.lab.pod("ztunnel-1").namespace;
      await proxy.runChecked("ip", ["-4", "rule", "del", "iif", "eth0"]);
    },
  },
];
