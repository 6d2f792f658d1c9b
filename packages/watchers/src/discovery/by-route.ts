import { isIPv4 } from "node:net";
import { findVethPair, type VethPair } from "../netns/veth-pair.ts";
import type { DiscoveryPass } from "./discovery-pass.ts";
import { holdsOneOf, NotFound } from "./method.ts";
import type { WantedPod } from "./wanted-pod.ts";

/**
 * Host-routed CNIs (ptp, Calico, Cilium with endpoint routes, GKE, AWS) give each pod an exact route: /32 or /128 in the main table,
 * straight to the node's end of its veth pair.
 */
export async function findByRoute(pod: WantedPod, pass: DiscoveryPass): Promise<VethPair> {
  const wanted = new Set(pod.addresses);
  const exact = new Set(pod.addresses.map((address) => `${address}/${isIPv4(address) ? 32 : 128}`));
  const route = pass.node.mainRoutes.find(({ dst, type }) => type === "unicast" && exact.has(dst));
  if (route === undefined) throw new NotFound("no exact route to one of its addresses in the main table");
  if (route.oif === undefined) throw new NotFound(`the route to ${route.dst} leads to no single interface`);

  const host = pass.node.link(route.oif);
  if (host === undefined) throw new NotFound(`the route to ${route.dst} leads to an interface that is gone`);
  if (host.kind !== "veth") {
    const kind = host.kind ?? "device without a kind";
    throw new NotFound(`the route to ${route.dst} leads to ${host.name}, which is a ${kind}, not a veth`);
  }
  const netns = (await pass.podNetns()).find(({ idInNode }) => idInNode !== undefined && idInNode === host.peerNetnsId);
  const inner = netns?.links.find(({ index }) => index === host.peerIndex);
  if (netns === undefined || inner === undefined) {
    throw new NotFound(`no network namespace was found that holds the other end of ${host.name}`);
  }
  if (!holdsOneOf(netns, inner.index, wanted)) {
    throw new NotFound(`${inner.name} in ${netns.path}, the other end of ${host.name}, holds none of its addresses`);
  }
  return findVethPair(inner, netns, pass.node);
}
