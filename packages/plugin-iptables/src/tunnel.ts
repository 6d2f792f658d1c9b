import { isIPv6 } from "node:net";
import { hasIpv6, type NetnsHandle } from "@millrace/host";
import { addresses, link, readSysctl, writeSysctl } from "linux-ts";
import { ipBatch, ipLinks, ipNeighbours } from "./commands/ip.ts";
import type { IpLink } from "./commands/ip-schemas.ts";
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
 * step that loses nothing; one of another kind, port or family is made anew. Says whether a device is another one now: its routes
 * have gone then.
 */
export async function ensureTunnels(
  context: NodeContext,
  end: TunnelEnd,
  netns: NetnsHandle,
  remote: string | undefined,
): Promise<boolean> {
  const where = { netns: netns.fd, signal: context.signal };
  const present = await ipLinks(where);
  let isNew = false;
  for (const direction of DIRECTIONS) {
    const device = deviceOf(context, end, direction, remote);
    const found = present.find(({ ifname }) => ifname === device.name);
    const fits = found !== undefined && isSameKind(found, device);
    const lines = [
      ...(found && !fits ? [`link del ${device.name}`] : []),
      ...(fits ? [] : [`link add ${device.name} address ${device.mac} type ${typeOf(device)}`]),
      ...(fits && remoteOf(found) !== device.remote
        ? [`link change ${device.name} type ${device.kind} id ${device.vni} remote ${device.remote}`]
        : []),
      ...(fits && found.flags.includes("UP") && found.mtu === MTU && found.address === device.mac
        ? []
        : [`link set ${device.name} address ${device.mac} mtu ${MTU} addrgenmode none`, `link set ${device.name} up`]),
    ];
    await ipBatch(4, lines.join("\n"), where);
    if (!fits) isNew = true;
    if (end === "node") await ensureNeighbours(context, device.name, MACS.proxy[direction]);
    else await ensureReceiver(context, netns, device.name);
  }
  return isNew;
}

export async function removeTunnels(context: NodeContext, netns: NetnsHandle): Promise<void> {
  const where = { netns: netns.fd, signal: context.signal };
  const names = DIRECTIONS.map((direction) => context.layout.links[direction]);
  const present = (await ipLinks(where)).filter(({ ifname }) => names.includes(ifname));
  await ipBatch(4, present.map(({ ifname }) => `link del ${ifname}`).join("\n"), where);
}

/** Where the node's tunnels lead now; undefined when they lead nowhere, or not both to the same. */
export async function tunnelRemote(context: NodeContext): Promise<string | undefined> {
  const present = await ipLinks({ signal: context.signal });
  const remotes = DIRECTIONS.map((direction) => {
    const found = present.find(({ ifname }) => ifname === context.layout.links[direction]);
    return found && remoteOf(found);
  });
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
  const where = { netns: netns.fd, signal: context.signal };
  const present = await ipLinks(where);
  const problems: string[] = [];
  for (const direction of DIRECTIONS) {
    const device = deviceOf(context, end, direction, remote);
    const found = present.find(({ ifname }) => ifname === device.name);
    if (found === undefined) {
      problems.push(`tunnel ${device.name} is missing`);
      continue;
    }
    if (!isSameKind(found, device)) problems.push(`tunnel ${device.name} is another one`);
    else if (remoteOf(found) !== device.remote)
      problems.push(`tunnel ${device.name} leads to ${remoteOf(found)}, not ${device.remote}`);
    if (!found.flags.includes("UP")) problems.push(`tunnel ${device.name} is down`);
    if (found.mtu !== MTU) problems.push(`tunnel ${device.name} has the MTU ${found.mtu}, not ${MTU}`);
    if (found.address !== device.mac) problems.push(`tunnel ${device.name} has the MAC ${found.address}`);
    if (end === "node") problems.push(...(await neighbourProblems(context, device.name, MACS.proxy[direction])));
    else problems.push(...receiverProblems(context, netns, device.name));
  }
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
function isSameKind({ linkinfo }: IpLink, { kind, vni, port, remote }: TunnelDevice): boolean {
  const data = linkinfo?.info_data;
  const family = isIPv6(remote) ? data?.remote6 : data?.remote;
  return linkinfo?.info_kind === kind && data?.id === vni && data.port === port && family !== undefined;
}

const remoteOf = ({ linkinfo }: IpLink): string | undefined =>
  linkinfo?.info_data?.remote ?? linkinfo?.info_data?.remote6;

/** The next hop behind a tunnel is nobody's address, so nobody answers for it. */
async function ensureNeighbours(context: NodeContext, name: string, mac: string): Promise<void> {
  const { layout, families, signal } = context;
  if ((await neighbourProblems(context, name, mac)).length === 0) return;
  for (const family of families) {
    const line = `neigh replace ${layout.gateways[family]} lladdr ${mac} dev ${name} nud permanent`;
    await ipBatch(family, line, { signal });
  }
}

async function neighbourProblems(context: NodeContext, name: string, mac: string): Promise<string[]> {
  const { layout, families, signal } = context;
  const found = await Promise.all(
    families.map(async (family) => {
      const present = await ipNeighbours(family, { dev: name, signal });
      const ours = present.find(({ dst }) => dst === layout.gateways[family]);
      const isRight = ours?.lladdr === mac && ours.state.includes("PERMANENT");
      return isRight ? [] : [`neighbour ${layout.gateways[family]} on ${name} is missing`];
    }),
  );
  return found.flat();
}

/**
 * Of our own devices, so there is nothing to put back. A client's route leads elsewhere, so the reverse path check may not be strict;
 * and a loose one still refuses everything on a device without an address (net/ipv4/fib_frontend.c, __fib_validate_source(), no_addr).
 */
const receiverSysctls = (netns: NetnsHandle, name: string): [path: string, value: string][] => [
  [`net/ipv4/conf/${name}/rp_filter`, "2"],
  ...(hasIpv6(netns, "lo") ? ([[`net/ipv6/conf/${name}/disable_ipv6`, "0"]] as [string, string][]) : []),
];

async function ensureReceiver({ layout, signal }: NodeContext, netns: NetnsHandle, name: string): Promise<void> {
  for (const [path, value] of receiverSysctls(netns, name)) {
    if (readSysctl(netns.fd, path) !== value) writeSysctl(netns.fd, path, value);
  }
  if (hasAddress(netns, name, layout.gateways[4])) return;
  await ipBatch(4, `addr add ${layout.gateways[4]}/32 dev ${name} scope link`, { netns: netns.fd, signal });
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
