import type { EventData } from "@millrace/core/internal";
import type { Link } from "linux-ts";
import { WatcherError } from "../errors.ts";
import type { NodeLinks } from "./node-view.ts";
import { type PodNetns, reachableAddresses } from "./pod-netns.ts";

/** Both ends of a pod's veth pair, each checked against the kernel. */
export interface VethPair {
  readonly netns: PodNetns;
  /** The pod's end. */
  readonly inner: Link;
  /** The node's end. */
  readonly host: Link;
}

/** The kernel's half of an `interface.added` event. */
export type InterfaceFacts = Omit<
  EventData["interface.added"],
  "containerId" | "uid" | "namespace" | "name" | "source"
>;

export function describePair({ netns, inner, host }: VethPair): InterfaceFacts {
  return {
    netns: netns.path,
    netnsInode: netns.inode,
    ifName: inner.name,
    mac: inner.mac,
    hostIfName: host.name,
    hostIfIndex: host.index,
    addresses: reachableAddresses(netns, inner.index),
  };
}

/**
 * Finds the node's end of the pair that has `inner` as its pod end, and checks it from both sides: each end names the other's
 * interface index (`IFLA_LINK`), and the node's end names the pod's namespace (`IFLA_LINK_NETNSID`). Interface indices alone
 * are ambiguous, since every namespace counts its own.
 * @throws {WatcherError} `ERR_NOT_VETH`, `ERR_PEER_ELSEWHERE`
 */
export function findVethPair(inner: Link, netns: PodNetns, node: NodeLinks): VethPair {
  const where = `interface ${inner.name} in ${netns.path}`;
  if (inner.kind !== "veth") {
    const kind = inner.kind ?? "device without a kind";
    throw new WatcherError("ERR_NOT_VETH", `${where} is a ${kind}, not a veth; only veth pairs can be redirected`);
  }
  const host = inner.peerIndex === undefined ? undefined : node.link(inner.peerIndex);
  if (
    host?.kind !== "veth" ||
    host.peerIndex !== inner.index ||
    host.peerNetnsId === undefined ||
    host.peerNetnsId !== netns.idInNode
  ) {
    const message = `${where} is a veth whose other end (index ${inner.peerIndex ?? "unknown"}) is not in the node's network namespace`;
    throw new WatcherError("ERR_PEER_ELSEWHERE", message);
  }
  return { netns, inner, host };
}
