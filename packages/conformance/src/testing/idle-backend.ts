import {
  definePlugin,
  type NodeFacts,
  type NodeProxy,
  type Proxies,
  type Redirection,
  type Workload,
} from "@millrace/core";
import { z } from "zod";

/** A backend that says it has done everything and does nothing: what a suite that cannot fail would pass. */
export default definePlugin({
  name: "idle",
  description: "does nothing and says it is done",
  apiVersion: 1,
  config: z.strictObject({}).prefault({}),
  create: () => ({
    probe: async () => ({ features: [], capable: true, summary: "needs nothing" }),
    open: async () => idle(),
  }),
});

function idle(): Redirection {
  const workloads = new Map<string, Workload>();
  let proxies: Proxies = { draining: [] };
  let node: NodeFacts = { addresses: [] };
  const proxy = ({ key }: NodeProxy, role: "active" | "draining") => ({
    key,
    role,
    state: "complete" as const,
    problems: [],
    foreign: [],
  });
  return {
    useProxies: async (wanted) => {
      proxies = wanted;
    },
    useNode: async (wanted) => {
      node = wanted;
    },
    apply: async (workload) => {
      workloads.set(workload.uid, workload);
    },
    remove: async (uid) => {
      workloads.delete(uid);
    },
    observe: async () => ({
      workloads: [...workloads.values()].map(({ uid, addresses, interface: { hostIndex } }) => ({
        uid,
        state: "complete" as const,
        problems: [],
        foreign: [],
        addresses,
        hostIndex,
      })),
      proxies: [
        ...(proxies.active === undefined ? [] : [proxy(proxies.active, "active")]),
        ...proxies.draining.map((draining) => proxy(draining, "draining")),
      ],
      problems: [],
      nodeAddresses: node.addresses,
      counters: {},
    }),
    uninstall: async () => workloads.clear(),
    [Symbol.asyncDispose]: async () => undefined,
  };
}
