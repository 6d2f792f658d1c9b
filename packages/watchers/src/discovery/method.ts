import type { Link } from "linux-ts";
import type { PodNetns } from "../netns/pod-netns.ts";
import type { VethPair } from "../netns/veth-pair.ts";
import type { DiscoveryPass } from "./discovery-pass.ts";
import type { WantedPod } from "./wanted-pod.ts";

/** Finds a pod's interface, verified from both ends. Rejects with {@link NotFound} or a WatcherError, whose message is the outcome. */
export type DiscoveryMethod = (pod: WantedPod, pass: DiscoveryPass) => Promise<VethPair>;

/** A method looked and did not find; the message is a phrase about the pod ("it"). */
export class NotFound extends Error {
  override readonly name = "NotFound";
}

export function holdsOneOf(netns: PodNetns, ifIndex: number, wanted: ReadonlySet<string>): boolean {
  return netns.addresses.some(({ index, address }) => index === ifIndex && wanted.has(address));
}

export function interfaceWithOneOf(netns: PodNetns, wanted: ReadonlySet<string>): Link | undefined {
  return netns.links.find(({ index }) => holdsOneOf(netns, index, wanted));
}
