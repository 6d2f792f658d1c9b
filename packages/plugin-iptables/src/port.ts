import { ownerByName, UNKNOWN_OWNER } from "./clash/known-owners.ts";
import { isOurLink, type Wanted } from "./clash/wanted.ts";
import { CommandError } from "./commands/command-error.ts";
import { ipLinks } from "./commands/ip.ts";
import type { IpLink } from "./commands/ip-schemas.ts";
import { type NetnsPlace, run } from "./commands/run.ts";
import { IptablesError } from "./errors.ts";

/** How many ports behind the configured one are tried. */
const TRIES = 64;

export interface PortQuestion {
  /** The first port that is tried: the configuration's. */
  readonly base: number;
  /** Our tunnels by name: see {@link Wanted}. */
  readonly links: Wanted["links"];
  /** Network namespaces in which the port has to be free: the node's (undefined) and those of proxies. */
  readonly places: readonly NetnsPlace[];
  readonly signal?: AbortSignal | undefined;
}

export interface PortAnswer {
  readonly port: number;
  /** Taken from a tunnel of ours that is there already: it never changes while one is. */
  readonly isAdopted: boolean;
  /** Ports that were passed over, with whoever has them. */
  readonly passedOver: readonly { readonly port: number; readonly by: string }[];
}

/**
 * Finds the UDP port of the tunnels. A port is taken where a geneve or vxlan device of somebody else uses it, up or down, or a socket is
 * bound to it. VNIs do not matter then: two tunnels collide only on one port, and an external device (Open vSwitch) takes everything on
 * its port (drivers/net/geneve.c, geneve_configure()).
 *
 * Throws `ERR_NO_PORT`.
 */
export async function choosePort({ base, links, places, signal }: PortQuestion): Promise<PortAnswer> {
  const taken = new Map<number, string>();
  for (const netns of places) {
    const found = await ipLinks({ netns, signal });
    const own = found.find((link) => isOurLink({ links }, link));
    const adopted = own && tunnelPort(own);
    if (adopted !== undefined) return { port: adopted, isAdopted: true, passedOver: [] };
    for (const port of await boundPorts({ netns, signal })) taken.set(port, "a UDP socket");
    for (const link of found) {
      const port = tunnelPort(link);
      if (port !== undefined) taken.set(port, describe(link));
    }
  }
  const candidates = Array.from({ length: TRIES }, (_, index) => base + index).filter((port) => port <= 0xffff);
  const port = candidates.find((each) => !taken.has(each));
  const passedOver = candidates
    .slice(0, port === undefined ? undefined : port - base)
    .map((each) => ({ port: each, by: taken.get(each) ?? UNKNOWN_OWNER }));
  if (port !== undefined) return { port, isAdopted: false, passedOver };
  const list = passedOver.map((each) => `${each.port} by ${each.by}`).join(", ");
  throw new IptablesError(
    "ERR_NO_PORT",
    `no UDP port from ${base} to ${candidates.at(-1)} is free for the tunnel (${list}). Give another one: backends.iptables.port`,
  );
}

/** The UDP port of a geneve or vxlan device. */
export function tunnelPort({ linkinfo }: IpLink): number | undefined {
  const kind = linkinfo?.info_kind;
  return kind === "geneve" || kind === "vxlan" ? linkinfo?.info_data?.port : undefined;
}

function describe({ ifname, linkinfo }: IpLink): string {
  const { info_kind: kind, info_data: data } = linkinfo ?? {};
  const how = data?.external === true ? "external" : `VNI ${data?.id}`;
  return `the ${kind} device ${ifname} (${how}) of ${ownerByName("links", ifname) ?? UNKNOWN_OWNER}`;
}

/** Local ports of all UDP sockets, from /proc/net/udp and udp6 (proc(5)): hexadecimal, behind the address. */
async function boundPorts(where: { netns: NetnsPlace; signal: AbortSignal | undefined }): Promise<Set<number>> {
  const text = (await readTable("udp", where)) + (await readTable("udp6", where));
  const rows = text.matchAll(/^ *\d+: [0-9A-F]+:([0-9A-F]{4}) /gm);
  return new Set([...rows].map(([, port = ""]) => Number.parseInt(port, 16)));
}

async function readTable(name: string, where: { netns: NetnsPlace; signal: AbortSignal | undefined }): Promise<string> {
  try {
    // A process in that namespace has to read it: /proc/self/net is the reader's own (fs/proc/proc_net.c).
    return await run("cat", [`/proc/self/net/${name}`], where);
  } catch (error) {
    // A kernel without IPv6 has no udp6.
    if (error instanceof CommandError && error.stderr.includes("No such file")) return "";
    throw error;
  }
}
