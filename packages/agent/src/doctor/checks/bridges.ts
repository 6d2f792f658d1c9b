import { errorCode } from "@millrace/core/internal";
import { type Link, links, readSysctl } from "linux-ts";
import type { Check, Finding } from "../check.ts";

/** Whether the host's rules see frames that a bridge passes on (Documentation/networking/ip-sysctl, bridge-nf-call-iptables). */
export type BridgeNetfilter = "on" | "off" | "absent";

const VALUES: Readonly<Record<BridgeNetfilter, string>> = {
  on: "here 1",
  off: "here not both 1",
  absent: "here not there: br_netfilter is not loaded",
};

/** Pods that hang on a bridge of the host: what one of them sends to another of the same bridge is not routed. */
export function bridgeFindings(all: readonly Link[], netfilter: BridgeNetfilter): readonly Finding[] {
  const name = "bridges";
  const bridges = all
    .filter(({ kind }) => kind === "bridge")
    .map((bridge) => ({ ...bridge, ports: all.filter((port) => port.kind === "veth" && port.master === bridge.index) }))
    .filter(({ ports }) => ports.length > 0);
  if (bridges.length === 0)
    return [{ name, state: "good", detail: "no veth is the port of a bridge: pods are routed" }];
  const where = bridges.map((bridge) => `${bridge.ports.length} on ${bridge.name}`).join(", ");
  const detail =
    `veths that are ports of a bridge: ${where}; what one pod sends to another of its bridge is not routed. Backend ebpf redirects it at the ` +
    "veths; backend iptables hands it to the node's IP layer by the nft table bridge millrace, for which the feature nft.bridge has to be " +
    `there. bridge-nf-call-iptables and bridge-nf-call-ip6tables (${VALUES[netfilter]}) make no difference to either`;
  return [{ name, state: "note", detail }];
}

export const bridges: Check = () => bridgeFindings(links(), bridgeNetfilter());

function bridgeNetfilter(): BridgeNetfilter {
  try {
    const values = ["iptables", "ip6tables"].map((table) =>
      readSysctl(undefined, `net/bridge/bridge-nf-call-${table}`),
    );
    return values.every((value) => value === "1") ? "on" : "off";
  } catch (error) {
    if (errorCode(error) === "ENOENT") return "absent";
    throw error;
  }
}
