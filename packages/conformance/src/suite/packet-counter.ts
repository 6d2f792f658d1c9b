import { z } from "zod";
import type { Namespace } from "../lab/namespace.ts";

const Counters = z.object({
  nftables: z.array(z.looseObject({ counter: z.looseObject({ packets: z.number().int() }).optional() })),
});

let tables = 0;

/** Counts packets in a namespace that agree with an nftables expression, until disposed of. */
export interface PacketCounter extends AsyncDisposable {
  count(): Promise<number>;
}

/**
 * Counts at `hook`, before anything else looks at the packet: the filter table of its own has the lowest priority that
 * conntrack does not precede (nft(8), "Priority"; raw is -300).
 */
export async function countPackets(
  namespace: Namespace,
  match: string,
  hook: "prerouting" | "input" | "forward" | "output" | "postrouting" = "prerouting",
): Promise<PacketCounter> {
  const table = `lab-counter-${tables++}`;
  await namespace.nft(`table inet ${table} {
  counter seen { }
  chain c {
    type filter hook ${hook} priority -310
    ${match} counter name seen
  }
}
`);
  return {
    async count() {
      const listed = await namespace.runChecked("nft", ["-j", "list", "counters", "table", "inet", table]);
      const { nftables } = Counters.parse(JSON.parse(listed));
      return nftables.reduce((sum, { counter }) => sum + (counter?.packets ?? 0), 0);
    },
    async [Symbol.asyncDispose]() {
      await namespace.nft(`delete table inet ${table}\n`);
    },
  };
}

/**
 * Counts connections that leave a pod past the proxy: its SYNs that the node forwards from its veth to anywhere but the
 * proxies. What a backend redirects does not come this way, or goes to a proxy or a tunnel.
 */
export function countEscapes(
  node: Namespace,
  podInterface: string,
  destinations: readonly string[],
): Promise<PacketCounter> {
  const out = destinations.map((name) => `"${name}"`).join(", ");
  const match = `iifname "${podInterface}" oifname { ${out} } tcp flags & (syn | ack) == syn`;
  return countPackets(node, match, "forward");
}
