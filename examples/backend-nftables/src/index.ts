import { definePlugin, type NamespacePlace, type Trace } from "@millrace/core";
import { z } from "zod";
import { program, Table, transact, writeChains } from "./kernel.ts";
import { NftablesRedirection } from "./redirection.ts";
import { NODE_CHAINS, proxyChains, SETS, SHARED, TABLE } from "./rules.ts";

/** Frames are handed from interface to interface at nftables' netdev hooks: no tunnel, no BPF. */
export default definePlugin({
  name: "nftables",
  description: "nftables at the ingress and egress of veths, no tunnel",
  apiVersion: 1,
  config: z.strictObject({}).prefault({}),
  create: (context) => {
    const { failurePolicy, localDelivery } = context.policy;
    if (failurePolicy !== "closed") throw new Error("it cannot let members' TCP by: set failurePolicy to closed");
    if (localDelivery !== "direct") throw new Error("it delivers to members directly: set localDelivery to direct");
    return {
      probe: async () => {
        const detail = await trial();
        const available = detail === "";
        const summary = available ? "nft takes rules at both hooks of an interface" : detail;
        const feature = { name: "nft.netdev", description: "hands frames from interface to interface", required: true };
        return { features: [{ ...feature, available, detail: summary }], capable: available, summary };
      },
      open: async () => {
        if (!(await Table.read("netdev")).isThere) {
          const chains = writeChains("netdev", [...proxyChains({ draining: [] }), ...SHARED]);
          await transact([...SETS, ...chains, ...writeChains("inet", NODE_CHAINS)]);
        }
        return new NftablesRedirection(context);
      },
      traces: async (places) => (await Promise.all(places.map(tracesIn))).flat(),
    };
  },
});

/** Tries both hooks in a network namespace that goes with the program; what went wrong. */
async function trial(): Promise<string> {
  const rules = ["ingress", "egress"].map(
    (hook) =>
      `add chain netdev t ${hook} { type filter hook ${hook} device "lo" priority 0; }\nadd rule netdev t ${hook} fwd to "lo"`,
  );
  try {
    await program(["unshare", "--net", "nft", "-f", "-"], undefined, `add table netdev t\n${rules.join("\n")}`);
    return "";
  } catch (error) {
    return (error as Error).message;
  }
}

async function tracesIn({ fd, name: where }: NamespacePlace): Promise<Trace[]> {
  const tables = (await program(["nft", "list", "tables"], fd))
    .split("\n")
    .filter((line) => line.endsWith(` ${TABLE}`));
  const rules = await Promise.all(["-4", "-6"].map((family) => program(["ip", family, "-N", "rule"], fd)));
  const ours = rules.flatMap((list) => list.split("\n").filter((line) => line.includes("fwmark 0x6d lookup 15100")));
  return [
    ...tables.map((what) => ({ kind: "nftables table", where, what, mark: "its name" })),
    ...ours.map((what) => ({ kind: "ip rule", where, what: what.replace("\t", " "), mark: "its table and mark" })),
  ];
}
