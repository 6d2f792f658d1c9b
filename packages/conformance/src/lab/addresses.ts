/**
 * The lab's addressing plan. All of it lies in the ranges that are set aside for benchmarks and never routed on the
 * Internet: 198.18.0.0/15 (RFC 2544 appendix C.2.2, RFC 6890) and 2001:2::/48 (RFC 5180 section 8).
 */

export type Family = 4 | 6;
export const FAMILIES: readonly Family[] = [4, 6];

/** One address of each family. */
export interface DualStack {
  readonly 4: string;
  readonly 6: string;
}

const hex = (value: number): string => value.toString(16);

/** IPv4 addresses of a node's first range that pods get. */
const FIRST_RANGE = 240;

/** Pod `index` (0…479) of node `node` (1…99). */
export function podAddresses(node: number, index: number): DualStack {
  const [range, host] = index < FIRST_RANGE ? [node, index] : [node + 100, index - FIRST_RANGE];
  return { 4: `198.18.${range}.${10 + host}`, 6: `2001:2:0:${hex(node)}::${hex(10 + index)}` };
}

/** The ranges that hold the pods of a node, as its other nodes route them. */
export function podRanges(node: number): DualStack {
  return { 4: `198.18.${node}.0/24`, 6: `2001:2:0:${hex(node)}::/64` };
}

/** Where a node with more pods than the first range holds has the rest; IPv6 needs no second one. */
export const secondPodRange = (node: number): string => `198.18.${node + 100}.0/24`;

/** What a pod sees as its gateway: the same pair of addresses on every host veth of the node. */
export function gatewayAddresses(node: number): DualStack {
  return { 4: `198.18.${node}.1`, 6: "fe80::1" };
}

/** The same of a pod on a bridge: addresses of the pod's own subnet, which the bridge has. */
export function onLinkGateways(node: number, index: number): DualStack {
  return { 4: `198.18.${index < FIRST_RANGE ? node : node + 100}.1`, 6: `2001:2:0:${hex(node)}::1` };
}

/** The node's own addresses on the fabric between nodes. */
export function nodeAddresses(node: number): DualStack {
  return { 4: `198.19.0.${node}`, 6: `2001:2:0:ff::${hex(node)}` };
}

/** The fabric's bridge: every node's default gateway. It forwards nothing. */
export const FABRIC_ADDRESSES: DualStack = { 4: "198.19.0.254", 6: "2001:2:0:ff::fe" };

/** External host `index` (0…20) on the fabric itself, or, behind a router of its own, in a range of its own. */
export function externalAddresses(index: number, routed: boolean): DualStack {
  return routed
    ? { 4: `198.19.${100 + index}.2`, 6: `2001:2:0:f0${hex(16 + index)}::2` }
    : { 4: `198.19.0.${200 + index}`, 6: `2001:2:0:ff::${hex(200 + index)}` };
}

/** The two ends of the router in front of a routed external host: on the fabric, and towards the host. */
export function routerAddresses(index: number): { fabric: DualStack; inside: DualStack } {
  return {
    fabric: { 4: `198.19.0.${230 + index}`, 6: `2001:2:0:ff::${hex(230 + index)}` },
    inside: { 4: `198.19.${100 + index}.1`, 6: `2001:2:0:f0${hex(16 + index)}::1` },
  };
}

/** The range that a routed external host lives in. */
export function externalRange(index: number): DualStack {
  return { 4: `198.19.${100 + index}.0/24`, 6: `2001:2:0:f0${hex(16 + index)}::/64` };
}

/** Virtual address `index` (1…250) of a Service. No interface has it: only a node's translation rules know it. */
export function serviceAddresses(index: number): DualStack {
  return { 4: `198.18.250.${index}`, 6: `2001:2:0:fa::${hex(index)}` };
}

export const familyOf = (address: string): Family => (address.includes(":") ? 6 : 4);

/** `address:port` as a URL wants it: IPv6 in brackets. */
export const hostPort = (address: string, port: number): string =>
  address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;

/** An IPv4 address that a dual-stack socket shows as `::ffff:a.b.c.d`, in plain form. */
export const plainAddress = (address: string): string => address.replace(/^::ffff:(?=\d+\.)/i, "");
