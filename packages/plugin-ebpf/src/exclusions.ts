import type { Exclusions } from "@millrace/core";
import { decodeAddress, encodeAddress } from "./address-codec.ts";
import { EXCLUDED_NETWORK_HEAD_BITS, EXCLUDED_WAY, excludedNetworkCodec, excludedPortCodec } from "./layout.ts";
import type { Codec } from "./table.ts";

export type Way = keyof typeof EXCLUDED_WAY;

/** Key of `excluded_ports`. */
export interface ExcludedPort {
  readonly ifindex: number;
  readonly way: Way;
  readonly port: number;
}

/** Key of `excluded_networks`. */
export interface ExcludedNetwork {
  readonly ifindex: number;
  readonly way: Way;
  /** Canonical, as `198.18.0.0/15`. */
  readonly cidr: string;
}

export const portCodec: Codec<ExcludedPort> = {
  encode: ({ ifindex, way, port }) => excludedPortCodec.encode({ ifindex, port, way: EXCLUDED_WAY[way] }),
  decode(bytes) {
    const { ifindex, port, way } = excludedPortCodec.decode(bytes);
    return { ifindex, way: wayOf(way), port };
  },
};

export const networkCodec: Codec<ExcludedNetwork> = {
  encode({ ifindex, way, cidr }) {
    const [address = "", length] = cidr.split("/");
    const bits = EXCLUDED_NETWORK_HEAD_BITS + mappedBits(address) + Number(length);
    return excludedNetworkCodec.encode({
      prefix_bits: bits,
      ifindex,
      way: EXCLUDED_WAY[way],
      address: encodeAddress(address),
    });
  },
  decode(bytes) {
    const { prefix_bits, ifindex, way, address } = excludedNetworkCodec.decode(bytes);
    const text = decodeAddress(address);
    return { ifindex, way: wayOf(way), cidr: `${text}/${prefix_bits - EXCLUDED_NETWORK_HEAD_BITS - mappedBits(text)}` };
  },
};

export function hasExclusions(exclusions: Exclusions): boolean {
  return Object.values(exclusions).some((list) => list.length > 0);
}

/** The keys that one workload's exclusions have. */
export function keysOf(
  ifindex: number,
  exclusions: Exclusions,
): { ports: ExcludedPort[]; networks: ExcludedNetwork[] } {
  const { outboundPorts, inboundPorts, outboundCidrs, inboundCidrs } = exclusions;
  return {
    ports: [
      ...outboundPorts.map((port) => ({ ifindex, way: "outbound" as const, port })),
      ...inboundPorts.map((port) => ({ ifindex, way: "inbound" as const, port })),
    ],
    networks: [
      ...outboundCidrs.map((cidr) => ({ ifindex, way: "outbound" as const, cidr })),
      ...inboundCidrs.map((cidr) => ({ ifindex, way: "inbound" as const, cidr })),
    ],
  };
}

export type ExclusionKey = ExcludedPort | ExcludedNetwork;

/** What a workload should exclude and does not, and the reverse. `held` are the keys of its interface. */
export function compareExclusions(
  ifindex: number,
  exclusions: Exclusions,
  held: readonly ExclusionKey[],
): { missing: ExclusionKey[]; leftOver: ExclusionKey[] } {
  const { ports, networks } = keysOf(ifindex, exclusions);
  const wanted = [...ports, ...networks];
  const names = { wanted: new Set(wanted.map(describeExclusion)), held: new Set(held.map(describeExclusion)) };
  return {
    missing: wanted.filter((key) => !names.held.has(describeExclusion(key))),
    leftOver: held.filter((key) => !names.wanted.has(describeExclusion(key))),
  };
}

export function describeExclusion(key: ExclusionKey): string {
  return "port" in key ? `${key.way} port ${key.port}` : `${key.way} network ${key.cidr}`;
}

/** IPv4 addresses stand behind 96 bits of prefix (RFC 4291 section 2.5.5.2). */
function mappedBits(address: string): number {
  return address.includes(":") ? 0 : 96;
}

function wayOf(value: number): Way {
  return value === EXCLUDED_WAY.outbound ? "outbound" : "inbound";
}
