import { definePlugin } from "@millrace/core";
import { nftRefusal, nftTableTraces, nftTransaction } from "@millrace/core/host";
import { z } from "zod";
import { NftablesRedirection } from "./redirection.ts";
import { INET, NETDEV, NODE_CHAINS, proxyChains, SETS, SHARED, TABLE } from "./rules.ts";

/** Both hooks of an interface, what hands a frame on there, and what refuses a connection at the first. */
const HOOKS = ["ingress", "egress"].flatMap((hook) => [
  "add table netdev t",
  `add chain netdev t ${hook} { type filter hook ${hook} device "lo" priority 0; }`,
  `add rule netdev t ${hook} fwd to "lo"`,
]);
const TRIAL = [...HOOKS, "add rule netdev t ingress meta l4proto 6 reject with tcp reset"];

/** Frames are handed from interface to interface at nftables' netdev hooks: no tunnel, no BPF. */
export default definePlugin({
  name: "nftables",
  description: "nftables at the ingress and egress of veths, no tunnel",
  apiVersion: 1,
  config: z.strictObject({}).prefault({}),
  create: (context) => ({
    probe: async () => {
      const refusal = await nftRefusal(TRIAL);
      const available = refusal === undefined;
      const detail = refusal ?? "nft takes rules at both hooks of an interface";
      const feature = { name: "nft.netdev", description: "hands frames from interface to interface", required: true };
      return { features: [{ ...feature, available, detail }], capable: available, summary: detail };
    },
    open: async () => {
      if (!(await NETDEV.read()).isThere) {
        const chains = NETDEV.write([...proxyChains({ draining: [] }, context.policy), ...SHARED]);
        await nftTransaction([...SETS, ...chains, ...INET.write(NODE_CHAINS)]);
      }
      return new NftablesRedirection(context);
    },
    // What else it makes, routes and rules in proxies' namespaces, Millrace knows by their protocol.
    traces: async (places) => places.flatMap((place) => nftTableTraces(place, TABLE)),
  }),
});
