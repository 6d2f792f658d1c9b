import { findVethPair, type VethPair } from "../netns/veth-pair.ts";
import type { DiscoveryPass } from "./discovery-pass.ts";
import { interfaceWithOneOf, NotFound } from "./method.ts";
import type { WantedPod } from "./wanted-pod.ts";

/** Bridged CNIs have no route per pod: look into every network namespace for the pod's addresses, then out through the veth pair. */
export async function findByPeer(pod: WantedPod, pass: DiscoveryPass): Promise<VethPair> {
  const wanted = new Set(pod.addresses);
  const holders = (await pass.podNetns()).flatMap((netns) => {
    const inner = interfaceWithOneOf(netns, wanted);
    return inner === undefined ? [] : [{ netns, inner }];
  });
  const [first, second] = holders;
  if (first === undefined) throw new NotFound("no network namespace holds one of its addresses");
  if (second !== undefined) {
    const paths = holders.map(({ netns }) => netns.path).sort();
    throw new NotFound(`${paths.length} network namespaces hold its addresses: ${paths.join(", ")}`);
  }
  return findVethPair(first.inner, first.netns, pass.node);
}
