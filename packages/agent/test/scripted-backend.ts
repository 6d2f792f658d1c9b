import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { definePlugin, type Observation, type Proxies, type Workload } from "@millrace/core";
import { z } from "zod";

/**
 * A backend that touches no kernel and does as it is told by files in a directory, so that a test can have what a real kernel does
 * once in a blue moon: `open-fails` and `apply-fails` hold an error code, `observe` the problems that each workload shows.
 */
export default definePlugin({
  name: "scripted",
  description: "does as a test's files say",
  apiVersion: 1,
  config: z.strictObject({ directory: z.string() }),
  create: ({ config: { directory } }) => {
    const told = (name: string) => {
      const file = join(directory, name);
      return existsSync(file) ? readFileSync(file, "utf8").trim() : undefined;
    };
    const fail = (name: string) => {
      const code = told(name);
      if (code !== undefined) throw Object.assign(new Error(`told to by ${name}`), { code });
    };
    const workloads = new Map<string, Workload>();
    let proxies: Proxies = { draining: [] };
    let nodeAddresses: readonly string[] = [];

    function observe(): Observation {
      const problems = told("observe")?.split("\n") ?? [];
      const all = [...(proxies.active ? [{ proxy: proxies.active, role: "active" as const }] : [])];
      return {
        workloads: [...workloads.values()].map(({ uid, addresses, interface: { hostIndex } }) => ({
          uid,
          state: problems.length === 0 ? "complete" : "partial",
          problems,
          foreign: [],
          addresses,
          hostIndex,
        })),
        proxies: all.map(({ proxy, role }) => ({ key: proxy.key, role, state: "complete", problems: [] })),
        problems: [],
        nodeAddresses,
        counters: {},
      };
    }

    return {
      probe: async () => ({ features: [], capable: true, summary: "always" }),
      open: async () => {
        fail("open-fails");
        return {
          useProxies: async (wanted) => {
            proxies = wanted;
          },
          useNode: async ({ addresses }) => {
            nodeAddresses = addresses;
          },
          apply: async (workload) => {
            fail("apply-fails");
            workloads.set(workload.uid, workload);
          },
          remove: async (uid) => {
            workloads.delete(uid);
          },
          observe: async () => observe(),
          uninstall: async () => workloads.clear(),
          [Symbol.asyncDispose]: async () => {},
        };
      },
    };
  },
});
