import type { RouteSpec } from "linux-ts";
import { type DualStack, gatewayAddresses, onLinkGateways } from "./addresses.ts";
import type { LabPod } from "./lab-pod.ts";

/** How a node attaches its pods: as the CNI plugin `ptp` does, or as `bridge` does. */
export const POD_NETWORKS = ["routed", "bridge"] as const;
export type PodNetworkKind = (typeof POD_NETWORKS)[number];

/** What attaches pods: lines for `ip -batch` on the node, and what each pod's `eth0` has in its own namespace. */
export interface PodNetwork {
  readonly kind: PodNetworkKind;
  /** The interface by which the node's IP layer sends to a pod and receives from it. */
  device(pod: LabPod): string;
  /** What pods have as their gateways. */
  gateways(pod: LabPod): DualStack;
  /** Lengths of the prefixes that pods' addresses have. */
  readonly prefixLengths: Readonly<Record<4 | 6, number>>;
  /** Once for the node, before its first pod. */
  nodeLines(): string[];
  hostLines(pod: LabPod): string[];
  /** Of a pod, by its eth0, in this order. */
  routes(pod: LabPod): Omit<RouteSpec, "oif">[];
}

export function podNetwork(kind: PodNetworkKind, node: number, mtu: number): PodNetwork {
  return kind === "bridge" ? bridged(node, mtu) : routed(node, mtu);
}

/** The node's end of a veth is the pod's gateway, and has a route to it. */
function routed(node: number, mtu: number): PodNetwork {
  const gateway = gatewayAddresses(node);
  return {
    kind: "routed",
    device: ({ hostInterface }) => hostInterface,
    gateways: () => gateway,
    prefixLengths: { 4: 32, 6: 128 },
    nodeLines: () => [],
    hostLines: ({ hostInterface: host, namespace, addresses }) => [
      `link add ${host} mtu ${mtu} type veth peer name eth0 mtu ${mtu} netns ${namespace.name}`,
      `addr add ${gateway[4]}/32 dev ${host}`,
      `addr add ${gateway[6]}/64 dev ${host} nodad`,
      `link set ${host} up`,
      `route add ${addresses[4]}/32 dev ${host} scope link`,
      `route add ${addresses[6]}/128 dev ${host}`,
    ],
    routes: () => [{ dst: gateway[4] }, ...defaults(gateway)],
  };
}

/** The bridge's name, as flannel and k3s have it. */
export const BRIDGE = "cni0";

/**
 * As the CNI plugin `bridge` with `isGateway: true` and without hairpin mode (containernetworking/plugins, plugins/main/bridge): pods are
 * neighbours of each other, and the bridge, whose MAC stays what it is, is their gateway.
 */
function bridged(node: number, mtu: number): PodNetwork {
  const [first, second] = [onLinkGateways(node, 0), onLinkGateways(node, Number.POSITIVE_INFINITY)];
  return {
    kind: "bridge",
    device: () => BRIDGE,
    gateways: ({ index }) => onLinkGateways(node, index),
    prefixLengths: { 4: 24, 6: 64 },
    nodeLines: () => [
      `link add ${BRIDGE} address 02:4d:52:ff:00:${node.toString(16).padStart(2, "0")} mtu ${mtu} type bridge stp_state 0 forward_delay 0`,
      `addr add ${first[4]}/24 dev ${BRIDGE}`,
      `addr add ${second[4]}/24 dev ${BRIDGE}`,
      `addr add ${first[6]}/64 dev ${BRIDGE} nodad`,
      `link set ${BRIDGE} up`,
    ],
    hostLines: ({ hostInterface: host, namespace }) => [
      `link add ${host} mtu ${mtu} type veth peer name eth0 mtu ${mtu} netns ${namespace.name}`,
      `link set ${host} master ${BRIDGE} up`,
    ],
    routes: ({ index }) => defaults(onLinkGateways(node, index)),
  };
}

const defaults = (gateway: DualStack): Omit<RouteSpec, "oif">[] => [
  { dst: "0.0.0.0/0", gateway: gateway[4] },
  { dst: "::/0", gateway: gateway[6] },
];
