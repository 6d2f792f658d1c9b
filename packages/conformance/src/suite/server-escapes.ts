import { z } from "zod";
import { FAMILIES, type Family, gatewayAddresses } from "../lab/addresses.ts";
import type { LabHost } from "../lab/lab-host.ts";
import type { LabNode } from "../lab/lab-node.ts";
import type { LabPod } from "../lab/lab-pod.ts";
import { STAMP } from "../lab/stamp.ts";

/** What counts, in a server's namespace. */
export const ESCAPES_TABLE = "lab-escapes";
const SYN = "tcp flags & (syn | ack) == syn";

const Counters = z.object({
  nftables: z.array(
    z.looseObject({ counter: z.looseObject({ name: z.string(), packets: z.number().int() }).optional() }),
  ),
});

export interface Arrivals {
  /** Connections that reached a server past the proxy, in SYNs. */
  readonly escaped: number;
  /** Those that the proxy dialled: what shows that the counter does count. */
  readonly proxied: number;
}

export interface EscapeOptions {
  readonly node: LabNode;
  readonly members: readonly LabPod[];
  /** Servers that are no members. */
  readonly worlds: readonly LabHost[];
  /**
   * Count what comes unproxied only from a sender that has come by a proxy before, to that server: while a node is installed, when a
   * connection may still be early, but none may fall back.
   */
  readonly onceProxied?: boolean;
}

/**
 * Counts, in the servers' own namespaces, connections that did not come by a proxy; proxies must be stamped, by `stampProxy`. A world is
 * a server to members; a member is one to everybody but its node, whose probes are let in unproxied.
 */
export class ServerEscapes implements AsyncDisposable {
  readonly #servers: readonly LabHost[];

  private constructor(servers: readonly LabHost[]) {
    this.#servers = servers;
  }

  static async start({ node, members, worlds, onceProxied = false }: EscapeOptions): Promise<ServerEscapes> {
    const list = (hosts: readonly LabHost[], family: Family) => hosts.map((host) => host.address(family)).join(", ");
    // A node speaks to a routed pod from the address that it has on the pod's link.
    const own = (member: LabPod, family: Family) =>
      `${list([node, member], family)}, ${gatewayAddresses(node.number)[family]}`;
    const install = (server: LabHost, senders: (family: Family) => string) =>
      server.namespace.nft(rules(senders, onceProxied));
    await Promise.all([
      ...worlds.map((world) => install(world, (family) => `{ ${list(members, family)} }`)),
      ...members.map((member) => install(member, (family) => `!= { ${own(member, family)} }`)),
    ]);
    return new ServerEscapes([...worlds, ...members]);
  }

  async read(): Promise<Arrivals> {
    const all = await Promise.all(this.#servers.map(readCounters));
    const sum = (of: keyof Arrivals) => all.reduce((total, counters) => total + (counters.get(of) ?? 0), 0);
    return { escaped: sum("escaped"), proxied: sum("proxied") };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#servers.map(({ namespace }) => namespace.nft(`delete table inet ${ESCAPES_TABLE}\n`)));
  }
}

/** Before conntrack and whatever else the server's namespace has: raw is -300 (nft(8), "Priority"). */
function rules(senders: (family: Family) => string, onceProxied: boolean): string {
  const lines = FAMILIES.flatMap((family) => {
    const ip = family === 4 ? "ip" : "ip6";
    const proxied = `add @proxied${family} { ${ip} saddr } `;
    const fallen = `${ip} saddr @proxied${family} `;
    const sent = `${ip} saddr ${senders(family)} ${ip} dscp`;
    return [
      `${sent} ${STAMP} ${onceProxied ? proxied : ""}counter name proxied`,
      `${sent} != ${STAMP} ${onceProxied ? fallen : ""}counter name escaped`,
    ];
  });
  return `table inet ${ESCAPES_TABLE} {}
delete table inet ${ESCAPES_TABLE}
table inet ${ESCAPES_TABLE} {
  counter proxied {}
  counter escaped {}
  set proxied4 { type ipv4_addr; flags dynamic; size 1024; }
  set proxied6 { type ipv6_addr; flags dynamic; size 1024; }
  chain arriving {
    type filter hook prerouting priority -310
    ${lines.map((line) => `iifname != "lo" ${SYN} ${line}`).join("\n    ")}
  }
}
`;
}

async function readCounters({ namespace }: LabHost): Promise<Map<string, number>> {
  const listed = await namespace.runChecked("nft", ["-j", "list", "counters", "table", "inet", ESCAPES_TABLE]);
  const { nftables } = Counters.parse(JSON.parse(listed));
  return new Map(nftables.flatMap(({ counter }) => (counter === undefined ? [] : [[counter.name, counter.packets]])));
}
