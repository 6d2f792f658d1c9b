import type { Cluster } from "./cluster.ts";

/** How the node's way to the API server is cut. The tests' own does not lead through the network. */
export const CUTS = {
  /** The node has no route there: what is sent fails at once, what comes is never acknowledged. */
  "no route from the node": {
    cut: ({ node, host }) => node.namespace.ip(`route add unreachable ${host.address(4)}/32`),
    mend: ({ node, host }) => node.namespace.ip(`route del unreachable ${host.address(4)}/32`),
  },
  /** The way back is lost: whatever the node sends arrives, and nothing comes. */
  "no route back": {
    cut: ({ node, host }) => host.namespace.ip(`route add blackhole ${node.address(4)}/32`),
    mend: ({ node, host }) => host.namespace.ip(`route del blackhole ${node.address(4)}/32`),
  },
  /** Somebody on the way resets connections: noticed with the next segment that the node sends. */
  reset: {
    cut: async ({ node, host, api }) => {
      await node.namespace.nft(
        `table ip cut { chain output { type filter hook output priority 0; ip daddr ${host.address(4)} meta l4proto tcp reject with tcp reset; }; }`,
      );
      // Which is the acknowledgement of this, and not the PING of five seconds later.
      const name = { apiVersion: "v1", kind: "Node", metadata: { name: node.name } };
      await api.patch(name, { metadata: { annotations: { "millrace.dev/cut-off-at": new Date().toISOString() } } });
    },
    mend: ({ node }) => node.namespace.nft("delete table ip cut"),
  },
} as const satisfies Record<string, Cut>;

interface Cut {
  cut(cluster: Cluster): Promise<void>;
  mend(cluster: Cluster): Promise<void>;
}

/** Cuts the node off; mended again at the latest when this is disposed of. */
export async function cutOff(cluster: Cluster, how: keyof typeof CUTS): Promise<AsyncDisposable> {
  await CUTS[how].cut(cluster);
  return { [Symbol.asyncDispose]: () => CUTS[how].mend(cluster) };
}
