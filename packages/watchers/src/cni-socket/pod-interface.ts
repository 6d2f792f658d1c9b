import { type CniRequest, type CniResult, canonicalAddress, sortedUnique } from "@millrace/core/internal";
import type { Netns } from "linux-ts";
import { WatcherError } from "../errors.ts";
import { readNodeLink } from "../netns/node-view.ts";
import { readPodLink } from "../netns/pod-netns.ts";
import { describePair, findVethPair, type InterfaceFacts } from "../netns/veth-pair.ts";

type AddRequest = Extract<CniRequest, { command: "ADD" | "CHECK" }>;

/**
 * What the kernel says about the interface that a request names. `prevResult` is what earlier plugins *said* they did, in any of four
 * versions of the format; it only fills in for addresses that the kernel does not show.
 * Rejects with a {@link WatcherError}: `ERR_NETNS_GONE`, `ERR_NETNS_IS_NODE`, `ERR_INTERFACE_ABSENT`, `ERR_NOT_VETH`, `ERR_PEER_ELSEWHERE`
 */
export async function inspectInterface(
  { netns: path, ifName, prevResult }: AddRequest,
  nodeNetns: Netns,
): Promise<InterfaceFacts> {
  const netns = await readPodLink(path, ifName, { netns: nodeNetns });
  const [inner] = netns.links;
  if (inner === undefined) {
    throw new WatcherError(
      "ERR_INTERFACE_ABSENT",
      `there is no interface ${ifName} in ${path}; is Millrace last in the CNI chain?`,
    );
  }
  const facts = describePair(findVethPair(inner, netns, await readNodeLink(nodeNetns, inner.peerIndex)));
  return facts.addresses.length > 0 ? facts : { ...facts, addresses: resultAddresses(prevResult, ifName) };
}

/** The addresses a CNI result gives to an interface: `ips[].interface` is an index into `interfaces` (spec, "ADD success"). */
export function resultAddresses({ interfaces = [], ips = [] }: CniResult, ifName: string): string[] {
  const own = ips.filter(({ interface: index }) => {
    const named = index === undefined ? undefined : interfaces[index];
    return named === undefined || (named.name === ifName && named.sandbox !== undefined && named.sandbox !== "");
  });
  const canonical = own.map(({ address }) => canonicalAddress(address.replace(/\/\d+$/, "")));
  return sortedUnique(canonical.filter((address) => address !== undefined));
}
