import { z } from "zod";
import type { LabHost } from "./lab-host.ts";
import { STAMP } from "./stamp.ts";

/** Of nftables, where a server counts. */
export const COUNTERS_TABLE = "escapes";

const Listing = z.object({
  nftables: z.array(
    z.looseObject({ counter: z.object({ name: z.string(), packets: z.number(), bytes: z.number() }).optional() }),
  ),
});

export interface Escaped {
  readonly packets: number;
  readonly bytes: number;
}

/**
 * Counts, in a server's own namespace, TCP that came from `from` itself and not from a node proxy that spoke for it: a proxy keeps the source
 * address, but what it sends is stamped, once `stampProxy` was called. Its source ports would not do: the node's conntrack may choose
 * another where two connections would be told apart by nothing else (net/netfilter/nf_nat_core.c, get_unique_tuple()). With `port` only what
 * is sent to that one: where the server dials, too, it may be refused in the other's name, and such a RST is no escape.
 */
export class EscapeCounter {
  readonly #server: LabHost;

  private constructor(server: LabHost) {
    this.#server = server;
  }

  static async start(server: LabHost, from: LabHost, port?: number): Promise<EscapeCounter> {
    const tcp = port === undefined ? "meta l4proto tcp" : `tcp dport ${port}`;
    await server.namespace.nft(`table inet ${COUNTERS_TABLE} {}
delete table inet ${COUNTERS_TABLE}
table inet ${COUNTERS_TABLE} {
  counter escaped {}
  chain input {
    type filter hook prerouting priority -300
    ${tcp} ip saddr ${from.address(4)} ip dscp != ${STAMP} counter name escaped
    ${tcp} ip6 saddr ${from.address(6)} ip6 dscp != ${STAMP} counter name escaped
  }
}
`);
    return new EscapeCounter(server);
  }

  async read(): Promise<Escaped> {
    const listing = await this.#server.namespace.runChecked("nft", [
      "-j",
      "list",
      "counters",
      "table",
      "inet",
      COUNTERS_TABLE,
    ]);
    const counter = Listing.parse(JSON.parse(listing)).nftables.find((entry) => entry.counter !== undefined)?.counter;
    return { packets: counter?.packets ?? 0, bytes: counter?.bytes ?? 0 };
  }

  async stop(): Promise<void> {
    await this.#server.namespace.nft(`delete table inet ${COUNTERS_TABLE}\n`);
  }
}
