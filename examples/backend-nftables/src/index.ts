import { definePlugin } from "@millrace/core";
import { z } from "zod";
import { SETS } from "./elements.ts";
import { NftablesRedirection } from "./redirection.ts";
import { NODE_CHAINS, proxyChains, SHARED, TABLE, writeChain } from "./rules.ts";
import { run, table, transact } from "./system.ts";

/** Frames are handed from interface to interface at nftables' netdev hooks: no tunnel, no BPF. */
export default definePlugin({
  name: "nftables",
  description: "nftables at the ingress and egress of veths, no tunnel",
  apiVersion: 1,
  config: z.strictObject({}).prefault({}),
  create: ({ host, policy, log }) => {
    if (policy.failurePolicy === "open")
      throw new Error("nftables: failurePolicy open is not something that it can do: leave it closed");
    return {
      probe: async () => {
        const detail = await trial();
        const available = detail === "";
        const feature = {
          name: "nft.egress",
          description: "hands frames on at netdev hooks",
          required: true,
          available,
        };
        return {
          features: [{ ...feature, detail: available ? "nft took a rule at both hooks" : detail }],
          capable: available,
          summary: available ? "nftables can hand frames from interface to interface" : `nftables: ${detail}`,
        };
      },
      open: async () => {
        if ((await table(undefined, "netdev", TABLE)) === "") {
          const chains = [...proxyChains({ draining: [] }), ...SHARED].map((chain) => writeChain("netdev", chain));
          await transact(undefined, [...SETS, ...chains, ...NODE_CHAINS.map((chain) => writeChain("inet", chain))]);
          log.info({ table: TABLE }, "nftables tables made");
        }
        return new NftablesRedirection(host.journal);
      },
    };
  },
});

/** Tries both hooks in a network namespace of its own, which goes with the program; what went wrong. */
async function trial(): Promise<string> {
  const rule = (hook: string) =>
    `add chain netdev t ${hook} { type filter hook ${hook} device "lo" priority 0; }\nadd rule netdev t ${hook} fwd to "lo"`;
  try {
    await run(
      undefined,
      `add table netdev t\n${rule("ingress")}\n${rule("egress")}`,
      "unshare",
      "--net",
      "nft",
      "-f",
      "-",
    );
    return "";
  } catch (error) {
    return (error as Error).message;
  }
}
