import type { NodeProxy } from "@millrace/core";
import { canonicalAddress, sortedUnique } from "@millrace/core/internal";
import { addresses } from "linux-ts";
import type { ProxySlots } from "./proxy-slots.ts";
import { netnsOf } from "./slot-identity.ts";

/** Addresses by which a proxy's namespace can be reached: those of its interfaces, but for loopback and link-local ones. */
export function ownAddresses(netns: number): string[] {
  const found = addresses(netns)
    .filter(({ scope }) => scope === "global" || scope === "site")
    .map(({ address }) => canonicalAddress(address) ?? address);
  return sortedUnique(found);
}

/** What the proxies say of themselves, and what their namespaces have. */
export function proxyAddresses(
  slots: Pick<ProxySlots, "all">,
  used: ReadonlySet<number>,
  proxies: readonly NodeProxy[],
): Set<string> {
  const addresses = new Set(proxies.flatMap((proxy) => proxy.addresses));
  for (const { index, identity } of slots.all()) {
    if (!identity || !used.has(index)) continue;
    using netns = netnsOf(identity);
    for (const address of netns ? ownAddresses(netns.fd) : []) addresses.add(address);
  }
  return addresses;
}
