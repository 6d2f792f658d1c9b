import { COUNTERS_TABLE } from "../lab/escape-counter.ts";
import type { Namespace } from "../lab/namespace.ts";
import { SERVICES_TABLE } from "../lab/services-nft.ts";
import { STAMP_TABLE } from "../lab/stamp.ts";
import type { ListManaged, ManagedObject } from "./managed-objects.ts";
import { guarded, quietly } from "./managed-objects.ts";
import { ourRules, ourTables, proxyRouting } from "./managed-routing.ts";
import { ESCAPES_TABLE } from "./server-escapes.ts";

/** The lab's own, in the namespaces of the node and of the proxy, and those in which iptables-nft keeps its rules. */
const OTHERS = new RegExp(
  `^(\\S+ (${[SERVICES_TABLE, STAMP_TABLE, COUNTERS_TABLE, ESCAPES_TABLE].join("|")})|ip6? (raw|mangle|nat|filter|security))$`,
);

/**
 * What of a backend anybody can find who does not know it: tables of nftables that are neither the lab's nor iptables', on the node and in the proxy's namespace, and there the rules and
 * routes with Millrace's protocol. Nothing is said of what they guard.
 */
export const managedByOthers: ListManaged = async (bed, family) => [
  ...(await tables(bed.node.namespace, "of the node")),
  ...(await tables(bed.z.namespace, "in the proxy's namespace")),
  ...(await routing(bed, family)),
];

async function tables(namespace: Namespace, where: string): Promise<ManagedObject[]> {
  const listed = await namespace.runChecked("nft", ["list", "tables"]);
  const found = listed.split("\n").flatMap((line) => /^table (\S+ \S+)$/.exec(line)?.[1] ?? []);
  const own = found.filter((table) => !OTHERS.test(table));
  const objects = own.map(async (table) => {
    const printed = await namespace.runChecked("nft", ["list", "table", ...table.split(" ")]);
    const chains = [...printed.matchAll(/^\tchain (\S+) \{$/gm)].map(([, chain = ""]) => chain);
    return [
      unknown(`the nftables table ${table} ${where}`, () => namespace.nft(`delete table ${table}\n`)),
      ...chains.map((chain) => ({
        ...unknown(`the chain ${chain} of ${table} ${where}`, () => namespace.nft(`flush chain ${table} ${chain}\n`)),
        isPart: true as const,
      })),
    ];
  });
  return (await Promise.all(objects)).flat();
}

async function routing(bed: Parameters<ListManaged>[0], family: 4 | 6): Promise<ManagedObject[]> {
  const { namespace } = bed.z;
  const [rules, routes] = [await ourRules(namespace, family), await ourTables(namespace, family)];
  return rules.length + routes.length === 0 ? [] : proxyRouting(bed, family).map(unguarded);
}

const unknown = (kind: string, remove: () => Promise<unknown>): ManagedObject =>
  unguarded(guarded(kind, /: nftables: /, { remove: quietly(remove) }));

const unguarded = (object: ManagedObject): ManagedObject => ({
  ...object,
  guarded: false,
  meanwhile: "what this backend makes of it",
});
