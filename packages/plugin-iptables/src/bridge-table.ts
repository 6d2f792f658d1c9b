import { NFT_TABLE, PROXY_PORTS } from "./layout.ts";
import { MAX_SLOTS } from "./marks.ts";
import type { NodeContext } from "./node-context.ts";

/** Chains that a port's TCP goes to: they say who has sent it. */
export const memberChain = "member";
export const slotChain = (slot: number): string => `slot-${slot}`;

/** What ports and addresses are put into; the rest of the table never changes. */
export const BRIDGE_SETS = {
  /** Port → the chain that says whose it is. A port without one is lifted and unmarked: its pod is a member no longer. */
  roles: "map roles { type ifname : verdict; }",
  /** Port → MAC of its bridge. The comment tells whose port it is. */
  gateways: "map gateways { type ifname : ether_addr; }",
  /** MAC of a pod → MAC of its bridge. */
  macs: "map macs { type ether_addr : ether_addr; }",
  /** Ports of members. */
  members: "set members { type ifname; }",
  /** Those whose questions to nameservers are captured. */
  dns: "set dns { type ifname; }",
  /** Ports of proxies. */
  proxies: "set proxies { type ifname; }",
  /** MACs of bridges that frames are lifted to. */
  bridges: "set bridges { type ether_addr; }",
} as const;

export type BridgeSet = keyof typeof BRIDGE_SETS;

/**
 * Hands frames that a bridge would switch between its ports to the node's IP layer instead, where everything is decided: they are
 * addressed to the bridge itself, ahead of br_netfilter (net/bridge/br_netfilter_hooks.c, NF_BR_PRI_BRNF 0), which sees them so. Those are
 * TCP of a member or a proxy, or to one; errors about it; and questions and answers of captured DNS. Whose port a packet came in by is
 * told in the packet's mark, because the IP layer sees the bridge only, and a pod can send with any MAC.
 *
 * What is switched all the same may not be a member's TCP: rules of the IP layer have to have decided about it, which they have where
 * br_netfilter has translated its destination to a pod of the same bridge (br_nf_pre_routing_finish(), "bridged DNAT"). The proxies'
 * end of the tunnels believes whoever has the node's address, so no other pod may send there. And what goes straight to a proxy leaves by
 * its port: the bridge alone, which the rules of iptables see, does not tell it from the way to anybody else.
 *
 * What was to be led to a proxy, and is about to reach a member by the node's way out, was sent to an address that nobody knows as the
 * member's. (What the node itself sends has no mark.)
 *
 * The node would tell neighbours of each other so, for every packet that leaves by the interface it came in by (RFC 1812 section 5.2.7.2,
 * RFC 4861 section 8.2): it is not told, because IPv6 has no sysctl for it.
 */
export function bridgeTable({ layout, port }: Pick<NodeContext, "layout" | "port">): string {
  const { marks } = layout;
  const [mask, bits] = [marks.mask, Number(marks.mask)];
  const others = `0x${(~bits >>> 0).toString(16)}`;
  const value = (mark: string): string => mark.split("/")[0] ?? mark;
  const chains = [
    [memberChain, marks.arrived],
    ...Array.from({ length: MAX_SLOTS }, (_, slot) => [slotChain(slot), marks.proxy(slot)]),
  ] as const;
  const anyProxy = value(marks.anyProxy);
  return `table bridge ${NFT_TABLE} {
${Object.values(BRIDGE_SETS)
  .map((declaration) => `  ${declaration}`)
  .join("\n")}
${chains.map(([name, mark]) => `  chain ${name} { meta mark set meta mark | ${value(mark as string)}; }`).join("\n")}
  chain raise {
    ether daddr set iifname map @gateways meta pkttype set host
    ether daddr set ether daddr map @macs meta pkttype set host
  }
  chain lift {
    meta mark set meta mark & ${others}
    jump raise
    iifname vmap @roles
  }
  chain prerouting {
    type filter hook prerouting priority -300
    meta l4proto tcp goto lift
    icmp type { destination-unreachable, time-exceeded, parameter-problem } goto raise
    icmpv6 type { destination-unreachable, packet-too-big, time-exceeded, parameter-problem } goto raise
    udp dport 53 iifname @dns goto raise
    udp sport ${PROXY_PORTS.dns} iifname @proxies goto raise
  }
  chain straight {
    meta mark & ${anyProxy} == ${anyProxy} oifname != @proxies drop
  }
  chain guard {
    meta mark & ${mask} == { ${value(marks.pass)}, ${value(marks.sent)} } return
    meta mark & ${anyProxy} == ${anyProxy} return
    drop
  }
  chain forward {
    type filter hook forward priority -200
    oifname @proxies udp dport ${port} drop
    jump straight
    meta l4proto tcp iifname @members goto guard
    meta l4proto tcp oifname @members goto guard
  }
  chain output {
    type filter hook output priority -200
    jump straight
    meta mark & ${mask} == { ${[marks.out, marks.in, marks.arrived].map(value).join(", ")} } oifname @members meta l4proto tcp drop
    ether saddr @bridges icmp type redirect drop
    ether saddr @bridges icmpv6 type nd-redirect drop
  }
}
`;
}
