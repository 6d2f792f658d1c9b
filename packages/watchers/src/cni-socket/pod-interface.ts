import { type CniRequest, type CniResult, canonicalAddress, sortedUnique } from "@millrace/core/internal";
import type { Netns } from "linux-ts";
import { WatcherError } from "../errors.ts";
import { askNode } from "../netns/node-view.ts";
import { readPodNetns } from "../netns/pod-netns.ts";
import { describePair, findVethPair, type InterfaceFacts } from "../netns/veth-pair.ts";

type AddRequest = Extract<CniRequest, { command: "ADD" | "CHECK" }>;

/**
 * What the kernel says about the interface that a request names. `prevResult` is what earlier plugins *said* they did, in any of four
 * versions of the format; it only fills in for addresses that the kernel does not show.
 * @throws {WatcherError} `ERR_NETNS_GONE`, `ERR_NETNS_IS_NODE`, `ERR_INTERFACE_ABSENT`, `ERR_NOT_VETH`, `ERR_PEER_ELSEWHERE`
 */
export function inspectInterface({ netns: path, ifName, prevResult }: AddRequest, nodeNetns: Netns): InterfaceFacts {
  const node = askNode(nodeNetns);
  const netns = readPodNetns(path, node);
  const inner = netns.links.find(({ name }) => name === ifName);
  if (inner === undefined) {
    throw new WatcherError(
      "ERR_INTERFACE_ABSENT",
      `there is no interface ${ifName} in ${path}; is Millrace last in the CNI chain?`,
    );
  }
  const facts = describePair(findVethPair(inner, netns, node));
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
