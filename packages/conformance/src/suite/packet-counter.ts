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
  return countIn(namespace, "inet", match, hook);
}

/** The same of packets, or (`bridge`) of frames that the namespace's bridges pass on. */
export async function countIn(
  namespace: Namespace,
  family: "inet" | "bridge",
  match: string,
  hook: string,
): Promise<PacketCounter> {
  const table = `lab-counter-${tables++}`;
  await namespace.nft(`table ${family} ${table} {
  counter seen { }
  chain c {
    type filter hook ${hook} priority -310
    ${match} counter name seen
  }
}
`);
  return {
    async count() {
      const listed = await namespace.runChecked("nft", ["-j", "list", "counters", "table", family, table]);
      const { nftables } = Counters.parse(JSON.parse(listed));
      return nftables.reduce((sum, { counter }) => sum + (counter?.packets ?? 0), 0);
    },
    async [Symbol.asyncDispose]() {
      await namespace.nft(`delete table ${family} ${table}\n`);
    },
  };
}
