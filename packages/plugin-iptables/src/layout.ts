import { createHash } from "node:crypto";
import type { Family } from "linux-ts";
import type { IptablesConfig } from "./config.ts";
import { MAX_SLOTS, type Marks, marksOf } from "./marks.ts";

export const FAMILIES: readonly Family[] = [4, 6];

/** Ports that the proxy listens on (istio.io: "Ztunnel", ports): captured outbound, inbound plain text, HBONE, DNS. */
export const PROXY_PORTS = { outbound: 15_001, inbound: 15_006, hbone: 15_008, dns: 15_053 } as const;

/** Every name and number that the backend uses on a host. */
export interface Layout {
  readonly marks: Marks;
  readonly links: { readonly outbound: string; readonly inbound: string };
  readonly gateways: Readonly<Record<Family, string>>;
  readonly tables: {
    readonly outbound: number;
    readonly inbound: number;
    readonly direct: (slot: number) => number;
    readonly all: readonly number[];
  };
  readonly priorities: {
    readonly fromProxy: number;
    readonly reversePath: number;
    readonly direct: number;
    readonly inbound: number;
    readonly local: number;
    readonly outbound: number;
    readonly end: number;
  };
  /** Conntrack zone of what the proxy in a slot opens: proxies may choose the same address and port to one server. */
  readonly zone: (slot: number) => number;
}

export function layoutOf({ marks, rules, tables, links, conntrackZone }: IptablesConfig): Layout {
  const first = rules.priority;
  const direct = (slot: number): number => tables.first + 2 + slot;
  return {
    marks: marksOf(marks.mask),
    links: { outbound: links.outbound, inbound: links.inbound },
    gateways: { 4: links.gateway4, 6: links.gateway6 },
    tables: {
      outbound: tables.first,
      inbound: tables.first + 1,
      direct,
      all: [tables.first, tables.first + 1, ...Array.from({ length: MAX_SLOTS }, (_, slot) => direct(slot))],
    },
    priorities: {
      fromProxy: first,
      reversePath: first + 1,
      direct: first + 2,
      inbound: first + 3,
      local: first + 4,
      outbound: first + 5,
      end: first + 15,
    },
    zone: (slot) => conntrackZone + slot,
  };
}

/** Start of the names of our chains, and of our nftables tables and sets in lower case. */
export const PREFIX = "MILLRACE";

/** Tables of nftables' own, beside the rules of either flavour of iptables: one of `inet`, one of `bridge`. */
export const NFT_TABLE = "millrace";

export const isOurChain = (name: string): boolean => name === PREFIX || name.startsWith(`${PREFIX}-`);

/** Sets of one family. At most 31 characters (IPSET_MAXNAMELEN). */
export function setsOf(family: Family) {
  return {
    /** A member's address and the interface of the node that its packets come in by. */
    from: `millrace-from${family}`,
    /** Members' own interfaces, whatever address a packet has: a list of the sets of {@link interfaceSet}. */
    iface: `millrace-iface${family}`,
    /** Members' addresses. */
    to: `millrace-to${family}`,
    /** Members whose older connections may still go on. */
    settling: `millrace-settling${family}`,
    /** Members whose questions to nameservers are captured. */
    dns: `millrace-dns${family}`,
    /** A member's address and a port: its connections to that port are not captured. */
    outboundPorts: `millrace-xout${family}`,
    /** A member's address and its port: connections to it are not captured. */
    inboundPorts: `millrace-xin${family}`,
  } as const;
}

export type SetRole = keyof ReturnType<typeof setsOf>;

/** One of the sets that members' own interfaces are in. */
export const interfaceSet = (family: Family, part: number): string => `${setsOf(family).iface}-${part}`;

/** Members that exclude one network. By a digest, because a network of IPv6 is longer than a set's name may be. */
export const networkSet = (family: Family, direction: "outbound" | "inbound", cidr: string): string =>
  `millrace-net${direction.replace("bound", "")}${family}-${createHash("sha256").update(cidr).digest("hex").slice(0, 12)}`;

export const isNetworkSet = (name: string): boolean => /^millrace-net(out|in)[46]-[0-9a-f]{12}$/.test(name);

/**
 * Connections of another backend's time, by the address and port of the side that dialled and the address of the other. What was open when this
 * one came; see docs/adr/0023.
 */
export function keptSets(family: Family, slot: number) {
  return {
    /** The proxy has dialled it before its zone was: without a zone for good. */
    plain: `millrace-plain${family}-${slot}`,
    /** Somebody else's, with an address and ports that are in `plain`, and begun since: this one has the proxy's zone, and is told from it by that. */
    twin: `millrace-twin${family}-${slot}`,
    /** Between a member, which dialled, and the proxy. Conntrack has seen nothing of it. */
    out: `millrace-kept-out${family}-${slot}`,
    /** Between the proxy, which dialled in a client's name, and a member. The same. */
    in: `millrace-kept-in${family}-${slot}`,
  } as const;
}

export const isKeptSet = (name: string): boolean => /^millrace-(plain|twin|kept-out|kept-in)[46]-\d+$/.test(name);

/** One of those that say which packets have a zone: as long as the zone is there. */
export const isZoneSet = (name: string): boolean => /^millrace-(plain|twin)/.test(name);

/** Connections from members to addresses of the node, of which only the answer was seen yet: member, port, address. */
export const answeredSet = (family: Family, slot: number): string => `millrace-answered${family}-${slot}`;
