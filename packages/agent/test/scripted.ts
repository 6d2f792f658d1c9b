import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { definePlugin, type Observation, type Proxies, type Workload } from "@millrace/core";
import { z } from "zod";

/**
 * A backend that touches no kernel and does as it is told by files in a directory, so that a test can have what a real kernel does
 * once in a blue moon: `<name>.open-fails`, `.apply-fails`, `.observe-fails` and `.uninstall-fails` hold an error code, `.open-waits` and `.apply-waits` are there as long as opening
 * and applying take, `.incapable` why it cannot,
 * `.observe` the problems that each workload shows. `<name>.kernel` stands for the kernel: the workloads that it redirects.
 */
export function scripted(name: string) {
  return definePlugin({
    name,
    description: "does as a test's files say",
    apiVersion: 1,
    config: z.strictObject({ directory: z.string() }),
    create: ({ config: { directory } }) => {
      const at = (file: string) => join(directory, `${name}.${file}`);
      const told = (what: string) => (existsSync(at(what)) ? readFileSync(at(what), "utf8").trim() : undefined);
      const fail = (what: string) => {
        const code = told(what);
        if (code !== undefined) throw Object.assign(new Error(`told to by ${name}.${what}`), { code });
      };
      const workloads = new Map<string, Workload>(JSON.parse(told("kernel") ?? "[]"));
      const keep = () => writeFileSync(at("kernel"), JSON.stringify([...workloads]));
      let proxies: Proxies = { draining: [] };
      let nodeAddresses: readonly string[] = [];

      function observe(): Observation {
        fail("observe-fails");
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
          proxies: all.map(({ proxy, role }) => ({
            key: proxy.key,
            role,
            state: "complete",
            problems: [],
            foreign: [],
          })),
          problems: [],
          nodeAddresses,
          counters: {},
        };
      }

      return {
        probe: async () => {
          const why = told("incapable");
          return { features: [], capable: why === undefined, summary: why ?? "always" };
        },
        open: async () => {
          fail("open-fails");
          while (told("open-waits") !== undefined) await sleep(20);
          return {
            useProxies: async (wanted) => {
              proxies = wanted;
            },
            useNode: async ({ addresses }) => {
              nodeAddresses = addresses;
            },
            apply: async (workload) => {
              fail("apply-fails");
              while (told("apply-waits") !== undefined) await sleep(20);
              workloads.set(workload.uid, workload);
              keep();
            },
            remove: async (uid) => {
              workloads.delete(uid);
              keep();
            },
            observe: async () => observe(),
            uninstall: async () => {
              fail("uninstall-fails");
              workloads.clear();
              rmSync(at("kernel"), { force: true });
            },
            [Symbol.asyncDispose]: async () => {},
          };
        },
      };
    },
  });
}
