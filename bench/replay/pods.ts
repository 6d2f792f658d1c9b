import { inputs } from "@millrace/core/internal";

/** Addresses and interface numbers are used again after so many pods. */
const SLOTS = 500;

/** The `turn`th pod of the node's life. */
export function podOfTurn(turn: number) {
  const slot = turn % SLOTS;
  return podOf({
    uid: `0f8fad5b-d9cb-469f-a165-${String(turn).padStart(12, "0")}`,
    containerId: `c${turn}`,
    namespace: "shop",
    name: `web-7d9f4c5b8-${turn.toString(36)}`,
    labels: {},
    netnsInode: 4_026_532_001 + turn,
    addresses: [`198.18.${1 + (slot >> 8)}.${slot & 0xff}`, `2001:2:0:1::${(slot + 1).toString(16)}`],
    slot,
  });
}

export const PROXY = podOf({
  uid: "7c9e6679-7425-40de-944b-e07fc1f90ae7",
  containerId: "proxy",
  namespace: "istio-system",
  name: "ztunnel-x2x7b",
  labels: { app: "ztunnel" },
  netnsInode: 4_026_532_000,
  addresses: ["198.18.9.1", "2001:2:0:9::1"],
  slot: SLOTS,
});

interface Facts {
  readonly uid: string;
  readonly containerId: string;
  readonly namespace: string;
  readonly name: string;
  readonly labels: Record<string, string>;
  readonly netnsInode: number;
  readonly addresses: string[];
  readonly slot: number;
}

function podOf({ uid, containerId, namespace, name, labels, netnsInode, addresses, slot }: Facts) {
  const observed = inputs.podObserved({
    uid,
    namespace,
    name,
    nodeName: "n1",
    labels,
    annotations: {},
    hostNetwork: false,
    phase: "Running",
    ready: true,
    terminating: false,
    addresses,
    createdAt: "2026-01-01T00:00:00.000Z",
  });
  const veth = {
    containerId,
    uid,
    namespace,
    name,
    netns: `/run/netns/cni-${containerId}`,
    netnsInode,
    ifName: "eth0",
    mac: `02:00:00:00:${(slot >> 8).toString(16).padStart(2, "0")}:${(slot & 0xff).toString(16).padStart(2, "0")}`,
    hostIfName: `veth${slot}`,
    hostIfIndex: 100 + slot,
    addresses,
    source: "cni" as const,
  };
  return { uid, observed, veth };
}
