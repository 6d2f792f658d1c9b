import { isIPv6 } from "node:net";
import { hasIpv6, type NetnsHandle } from "@millrace/host";
import {
  addresses,
  type Link,
  link,
  linkAsync,
  type NetnsFd,
  neighboursAsync,
  readSysctl,
  writeSysctl,
} from "linux-ts";
import { ipBatch } from "./commands/ip.ts";
import type { NodeContext, TunnelKind } from "./node-context.ts";

/** Where the tunnels of a node lead while it has no proxy: nothing is sent there, because the table filter refuses it before. */
const NOWHERE = { 4: "127.0.0.1", 6: "::1" } as const;

/**
 * Longer than any packet: what does not fit is fragmented between the node and its pod, so that nobody's path MTU gets smaller by the
 * few packets that take the tunnel (RFC 4459, section 3.1).
 */
const MTU = 65_000;

/** Ethernet addresses of both ends (locally administered, RFC 7042 section 2.1): every proxy's end has the same, so that no neighbour changes with the proxy. */
const MACS = {
  node: { outbound: "02:4d:52:00:01:01", inbound: "02:4d:52:00:01:02" },
  proxy: { outbound: "02:4d:52:00:02:01", inbound: "02:4d:52:00:02:02" },
} as const;

/** Whether an Ethernet address is one that only our tunnels have. */
export const isTunnelMac = (mac: string): boolean =>
  Object.values(MACS).some(({ outbound, inbound }) => mac === outbound || mac === inbound);

const KINDS: readonly TunnelKind[] = ["geneve", "vxlan"];
const DIRECTIONS = ["outbound", "inbound"] as const;
type Direction = (typeof DIRECTIONS)[number];
export type TunnelEnd = keyof typeof MACS;

interface TunnelDevice {
  readonly name: string;
  readonly kind: TunnelKind;
  readonly vni: number;
  readonly port: number;
  readonly remote: string;
  readonly mac: string;
}

/**
 * Makes both tunnel devices of one end, leading to `remote`; undefined: nowhere. A device that leads somewhere else is led there in one
 * step that loses nothing; one of another kind, port or family is made anew, and its routes go with it.
 */
export async function ensureTunnels(
  context: NodeContext,
  end: TunnelEnd,
  netns: NetnsHandle,
  remote: string | undefined,
): Promise<void> {
  const where = { netns: netns.fd, signal: context.signal };
  const present = await tunnelLinks(context, netns.fd);
  const devices = DIRECTIONS.map((direction) => deviceOf(context, end, direction, remote));
  const address = context.layout.gateways[4];
  const lines = devices.flatMap((device) => {
    const found = present.get(device.name);
    const kept = found !== undefined && isSameKind(found, device) ? found : undefined;
    const hasAll = end === "node" || (kept !== undefined && hasAddress(netns, device.name, address));
    return [
      ...(kept ? changes(device, kept) : creation(device, found)),
      ...(hasAll ? [] : [`addr add ${address}/32 dev ${device.name} scope link`]),
    ];
  });
  await ipBatch(4, lines.join("\n"), where);
  if (end === "node") await ensureNeighbours(context);
  else for (const { name } of devices) acceptAnything(netns, name);
}

/** Lines for ip(8) that make a device, in place of one of ours that does not fit; somebody else's is not touched. */
function creation(device: TunnelDevice, found: Link | undefined): string[] {
  const isTunnel = KINDS.some((kind) => kind === found?.kind);
  return [
    ...(isTunnel ? [`link del ${device.name}`] : []),
    `link add ${device.name} type ${typeOf(device)}`,
    ...settings(device),
  ];
}

function changes(device: TunnelDevice, found: Link): string[] {
  const { name, kind, vni, remote, mac } = device;
  return [
    ...(found.tunnel?.remote === remote
      ? []
      : [`link change ${name} ${keptMtu(kind)}type ${kind} id ${vni} remote ${remote}`]),
    ...(found.up && found.mtu === MTU && found.mac === mac ? [] : settings(device)),
  ];
}

/** Where a tunnel is led elsewhere, Geneve sets the MTU anew (drivers/net/geneve.c, geneve_link_config()) unless the same message has it; VXLAN leaves it, and refuses such a message. */
const keptMtu = (kind: TunnelKind): string => (kind === "geneve" ? `mtu ${MTU} ` : "");

const settings = ({ name, mac }: TunnelDevice): string[] => [
  `link set ${name} address ${mac} mtu ${MTU} addrgenmode none`,
  `link set ${name} up`,
];

export async function removeTunnels(context: NodeContext, netns: NetnsHandle): Promise<void> {
  const present = await tunnelLinks(context, netns.fd);
  const lines = [...present.keys()].map((name) => `link del ${name}`);
  await ipBatch(4, lines.join("\n"), { netns: netns.fd, signal: context.signal });
}

/** Where the node's tunnels lead now; undefined when they lead nowhere, or not both to the same. */
export async function tunnelRemote(context: NodeContext): Promise<string | undefined> {
  const present = await tunnelLinks(context, undefined);
  const remotes = DIRECTIONS.map((direction) => present.get(context.layout.links[direction])?.tunnel?.remote);
  const [remote] = remotes;
  if (remote === undefined || Object.values<string>(NOWHERE).includes(remote)) return undefined;
  return remotes.every((other) => other === remote) ? remote : undefined;
}

/** What is wrong with the tunnels of one end. `remote`: undefined means that they have to lead nowhere. */
export async function tunnelProblems(
  context: NodeContext,
  end: TunnelEnd,
  netns: NetnsHandle,
  remote: string | undefined,
): Promise<string[]> {
  const present = await tunnelLinks(context, netns.fd);
  const problems: string[] = [];
  for (const direction of DIRECTIONS) {
    const device = deviceOf(context, end, direction, remote);
    const found = present.get(device.name);
    if (found?.kind !== context.tunnel) {
      problems.push(`tunnel ${device.name} is missing`);
      continue;
    }
    if (!isSameKind(found, device)) problems.push(`tunnel ${device.name} is another one`);
    else if (found.tunnel?.remote !== device.remote)
      problems.push(`tunnel ${device.name} leads to ${found.tunnel?.remote}, not ${device.remote}`);
    if (!found.up) problems.push(`tunnel ${device.name} is down`);
    if (found.mtu !== MTU) problems.push(`tunnel ${device.name} has the MTU ${found.mtu}, not ${MTU}`);
    if (found.mac !== device.mac) problems.push(`tunnel ${device.name} has the MAC ${found.mac}`);
    if (end === "proxy") problems.push(...receiverProblems(context, netns, device.name));
  }
  if (end === "node")
    problems.push(...(await missingNeighbours(context)).map(({ text }) => `neighbour ${text} is missing`));
  return problems;
}

function deviceOf(
  { config, layout, tunnel, port }: NodeContext,
  end: TunnelEnd,
  direction: Direction,
  remote: string | undefined,
): TunnelDevice {
  return {
    name: layout.links[direction],
    kind: tunnel,
    vni: config.vni[direction],
    port,
    remote: remote ?? NOWHERE[4],
    mac: MACS[end][direction],
  };
}

/** What a new device is, for ip-link(8); the kernel refuses a port where it changes one. VXLAN forwards to its remote without learning from what it receives. */
function typeOf({ kind, vni, port, remote }: TunnelDevice): string {
  const common = `${kind} id ${vni} remote ${remote} dstport ${port}`;
  return kind === "vxlan" ? `${common} nolearning` : common;
}

/** All that cannot be changed while the device exists, the family of its remote among it. */
function isSameKind(found: Link, { kind, vni, port, remote }: TunnelDevice): boolean {
  const { tunnel } = found;
  const isSameFamily = tunnel?.remote !== undefined && isIPv6(tunnel.remote) === isIPv6(remote);
  return found.kind === kind && tunnel?.vni === vni && tunnel.port === port && isSameFamily;
}

/** What there is by the names of our tunnels. Asked for one by one: a node with many pods has as many links. */
async function tunnelLinks({ layout }: NodeContext, netns: NetnsFd): Promise<ReadonlyMap<string, Link>> {
  const found = await Promise.all(DIRECTIONS.map((direction) => linkAsync(netns, layout.links[direction])));
  return new Map(found.filter((link) => link !== undefined).map((link) => [link.name, link]));
}

/** The node's end has to know whom the next hop behind a tunnel is: it does not ask. */
async function ensureNeighbours(context: NodeContext): Promise<void> {
  const missing = await missingNeighbours(context);
  for (const family of context.families) {
    const lines = missing
      .filter((neighbour) => neighbour.family === family)
      .map(({ gateway, mac, name }) => `neigh replace ${gateway} lladdr ${mac} dev ${name} nud permanent`);
    await ipBatch(family, lines.join("\n"), { signal: context.signal });
  }
}

async function missingNeighbours({ layout, families }: NodeContext) {
  const missing = [];
  for (const direction of DIRECTIONS) {
    const name = layout.links[direction];
    const mac = MACS.proxy[direction];
    const device = link(undefined, name);
    const present = device ? await neighboursAsync(undefined, device.index) : [];
    for (const family of families) {
      const gateway = layout.gateways[family];
      const found = present.find(({ address }) => address === gateway);
      const isRight = found?.mac === mac && found.state === "permanent";
      if (!isRight) missing.push({ family, gateway, mac, name, text: `${gateway} on ${name}` });
    }
  }
  return missing;
}

/**
 * Of our own devices, so there is nothing to put back. A client's route leads elsewhere, so the reverse path check may not be strict;
 * and a loose one still refuses everything on a device without an address (net/ipv4/fib_frontend.c, __fib_validate_source(), no_addr).
 */
const receiverSysctls = (netns: NetnsHandle, name: string): [path: string, value: string][] => [
  [`net/ipv4/conf/${name}/rp_filter`, "2"],
  ...(hasIpv6(netns, "lo") ? ([[`net/ipv6/conf/${name}/disable_ipv6`, "0"]] as [string, string][]) : []),
];

function acceptAnything(netns: NetnsHandle, name: string): void {
  for (const [path, value] of receiverSysctls(netns, name)) {
    if (readSysctl(netns.fd, path) !== value) writeSysctl(netns.fd, path, value);
  }
}

function receiverProblems({ layout }: NodeContext, netns: NetnsHandle, name: string): string[] {
  return [
    ...receiverSysctls(netns, name)
      .map(([path, value]) => ({ path, value, present: readSysctl(netns.fd, path) }))
      .filter(({ value, present }) => present !== value)
      .map(({ path, value, present }) => `sysctl ${path} is ${present}, not ${value}`),
    ...(hasAddress(netns, name, layout.gateways[4]) ? [] : [`address ${layout.gateways[4]} on ${name} is missing`]),
  ];
}

function hasAddress(netns: NetnsHandle, name: string, wanted: string): boolean {
  const device = link(netns.fd, name);
  return addresses(netns.fd).some(({ index, address }) => index === device?.index && address === wanted);
}
