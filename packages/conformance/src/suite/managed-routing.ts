import { z } from "zod";
import type { Namespace } from "../lab/namespace.ts";
import { guarded, type ManagedObject } from "./managed-objects.ts";
import type { Testbed } from "./testbed.ts";

/** Every rule and route of Millrace's carries this protocol. */
export const PROTOCOL = "77";

const Rules = z.array(z.looseObject({ priority: z.number(), protocol: z.string().optional() }));
const Routes = z.array(z.looseObject({ table: z.string().optional(), protocol: z.string().optional() }));

/** Priorities of our rules. */
export async function ourRules(namespace: Namespace, family: 4 | 6): Promise<string[]> {
  const listed = await namespace.runChecked("ip", ["-j", "-d", `-${family}`, "rule", "show"]);
  const ours = Rules.parse(JSON.parse(listed)).filter(({ protocol }) => protocol === PROTOCOL);
  return [...new Set(ours.map(({ priority }) => String(priority)))];
}

/** Tables with routes of ours. */
export async function ourTables(namespace: Namespace, family: 4 | 6): Promise<string[]> {
  const listed = await namespace.runChecked("ip", ["-j", "-d", `-${family}`, "route", "show", "table", "all"]);
  const ours = Routes.parse(JSON.parse(listed)).filter(({ protocol }) => protocol === PROTOCOL);
  return [...new Set(ours.flatMap(({ table }) => table ?? []))];
}

export const ip = (namespace: Namespace, family: 4 | 6, ...args: string[]) =>
  namespace.runChecked("ip", [`-${family}`, ...args]);

/** Of Millrace's routes only: the table `main` has the node's own in it. */
export const flushRoutes = (namespace: Namespace, family: 4 | 6, table: string) =>
  ip(namespace, family, "route", "flush", "table", table, "protocol", PROTOCOL);

export const routingLines = (family: 4 | 6): RegExp => new RegExp(`: routes and rules v${family}: `);

/** A rule of the same priority that leads elsewhere, in its place. */
export async function misleadRule(namespace: Namespace, family: 4 | 6, priority: string): Promise<void> {
  const other = ["fwmark", "0x1", "lookup", "15999", "protocol", PROTOCOL];
  await ip(namespace, family, "rule", "add", "priority", priority, ...other);
  await ip(namespace, family, "rule", "del", "priority", priority, "protocol", PROTOCOL);
}

/** A route to nowhere, in the place of what there was. */
export async function misleadRoutes(namespace: Namespace, family: 4 | 6, table: string): Promise<void> {
  await flushRoutes(namespace, family, table);
  await ip(namespace, family, "route", "add", "unreachable", "default", "table", table, "protocol", PROTOCOL);
}

/** Rules and routes in the proxy's namespace, all of a family. */
export function proxyRouting({ z: { namespace } }: Testbed, family: 4 | 6): ManagedObject[] {
  return [
    guarded(`the IPv${family} rules in the proxy's namespace`, routingLines(family), {
      remove: async () => {
        for (const priority of await ourRules(namespace, family)) {
          await ip(namespace, family, "rule", "del", "priority", priority, "protocol", PROTOCOL);
        }
      },
      change: async () => {
        for (const priority of await ourRules(namespace, family)) await misleadRule(namespace, family, priority);
      },
    }),
    guarded(`the IPv${family} routes in the proxy's namespace`, routingLines(family), {
      remove: async () => {
        for (const table of await ourTables(namespace, family)) await flushRoutes(namespace, family, table);
      },
      change: async () => {
        for (const table of await ourTables(namespace, family)) await misleadRoutes(namespace, family, table);
      },
    }),
  ];
}
