import { z } from "zod";
import type { LabHost } from "./lab-host.ts";
import type { LabPod } from "./lab-pod.ts";

/** Source ports of everything in the lab but node proxies, and of node proxies: so a packet tells who sent it. */
const CLIENT_PORTS = "20000-29999";
const PROXY_PORTS = "40000-49999";

const TABLE = "escapes";

const Listing = z.object({
  nftables: z.array(
    z.looseObject({ counter: z.object({ name: z.string(), packets: z.number(), bytes: z.number() }).optional() }),
  ),
});

export interface Escaped {
  readonly packets: number;
  readonly bytes: number;
}

/** Gives clients and proxies source ports of their own. To be called before anything is dialled. */
export async function separatePorts(clients: readonly LabHost[], proxies: readonly LabPod[]): Promise<void> {
  const set = (host: LabHost, range: string) =>
    host.namespace.runChecked("sysctl", ["-qw", `net.ipv4.ip_local_port_range=${range.replace("-", " ")}`]);
  await Promise.all([
    ...clients.map((host) => set(host, CLIENT_PORTS)),
    ...proxies.map((host) => set(host, PROXY_PORTS)),
  ]);
}

/**
 * Counts, in a server's own namespace, TCP that came from `from` itself and not from a node proxy that spoke for it: a proxy
 * keeps the source address but dials from a port of its own range.
 */
export class EscapeCounter {
  readonly #server: LabHost;

  private constructor(server: LabHost) {
    this.#server = server;
  }

  static async start(server: LabHost, from: LabHost): Promise<EscapeCounter> {
    await server.namespace.nft(`table inet ${TABLE} {}
delete table inet ${TABLE}
table inet ${TABLE} {
  counter escaped {}
  chain input {
    type filter hook prerouting priority -300
    ip saddr ${from.address(4)} tcp sport ${CLIENT_PORTS} counter name escaped
    ip6 saddr ${from.address(6)} tcp sport ${CLIENT_PORTS} counter name escaped
  }
}
`);
    return new EscapeCounter(server);
  }

  async read(): Promise<Escaped> {
    const listing = await this.#server.namespace.runChecked("nft", ["-j", "list", "counters", "table", "inet", TABLE]);
    const counter = Listing.parse(JSON.parse(listing)).nftables.find((entry) => entry.counter !== undefined)?.counter;
    return { packets: counter?.packets ?? 0, bytes: counter?.bytes ?? 0 };
  }

  async stop(): Promise<void> {
    await this.#server.namespace.nft(`delete table inet ${TABLE}\n`);
  }
}
