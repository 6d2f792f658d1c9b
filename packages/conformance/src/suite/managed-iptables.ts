import { z } from "zod";
import type { Namespace } from "../lab/namespace.ts";
import type { ListManaged, ManagedObject } from "./managed-objects.ts";
import type { Testbed } from "./testbed.ts";

/** Every rule and route of Millrace's carries this protocol. */
const PROTOCOL = "77";

/**
 * The iptables backend's objects of one family, found by what marks them: chains and sets by their names, rules and routes by their
 * protocol, devices by their kind.
 */
export const managedByIptables: ListManaged = async (bed, family) => [
  ...(await chains(bed, family)),
  ...(await sets(bed, family)),
  ...(await rules(bed, family)),
  ...(await routes(bed, family)),
  ...(await links(bed)),
  ...(await identity(bed)),
  ...proxyNamespace(bed, family),
];

const closed = "dropped by what is left";
const guarded = (kind: string, remove: () => Promise<unknown>, meanwhile = closed): ManagedObject => ({
  kind,
  guarded: true,
  meanwhile,
  remove: async () => void (await remove()),
});

const program = ({ options }: Testbed, family: 4 | 6): string =>
  `${family === 4 ? "iptables" : "ip6tables"}-${options.backendConfig.flavour === "legacy" ? "legacy" : "nft"}`;

/** In each table: the jump into our first chain, then the rules of all our chains. */
async function chains(bed: Testbed, family: 4 | 6): Promise<ManagedObject[]> {
  const { namespace } = bed.node;
  const file = program(bed, family);
  const run = (...args: string[]) => namespace.runChecked(file, ["-w", "10", ...args]);
  const found: ManagedObject[] = [];
  for (const table of ["raw", "mangle", "nat", "filter"]) {
    const lines = (await run("-t", table, "-S")).split("\n");
    const ours = lines.flatMap((line) => /^-N (MILLRACE\S*)$/.exec(line)?.[1] ?? []);
    const jumps = lines.filter((line) => /^-A [A-Z]+ .*-j MILLRACE/.test(line));
    const [jump] = jumps;
    if (jump !== undefined) {
      found.push(
        guarded(`a jump in ${table}`, () =>
          run("-t", table, ...jump.replace(/^-A/, "-D").replaceAll('"', "").split(" ")),
        ),
      );
    }
    if (ours.length > 0) {
      found.push(
        guarded(`the rules in ${table}`, async () => {
          for (const chain of ours) await run("-t", table, "-F", chain);
        }),
      );
    }
  }
  return found;
}

/** Its entries end by themselves, with the connections that they let go on. */
const PASSING = /^millrace-settling/;

async function sets(bed: Testbed, family: 4 | 6): Promise<ManagedObject[]> {
  const { namespace } = bed.node;
  const saved = (await namespace.runChecked("ipset", ["save"])).split("\n");
  const ours = new RegExp(`^add (millrace-[a-z]+${family}|millrace-iface${family}-\\d+) `);
  const names = [...new Set(saved.flatMap((line) => ours.exec(line)?.[1] ?? []))];
  return names
    .filter((name) => !PASSING.test(name))
    .map((name) => guarded(`the entries of the set ${name}`, () => namespace.runChecked("ipset", ["flush", name])));
}

const Rules = z.array(z.looseObject({ priority: z.number(), protocol: z.string().optional() }));
const Routes = z.array(z.looseObject({ table: z.string().optional(), protocol: z.string().optional() }));

/** Priorities of our rules. */
async function ourRules(namespace: Namespace, family: 4 | 6): Promise<string[]> {
  const listed = await namespace.runChecked("ip", ["-j", "-d", `-${family}`, "rule", "show"]);
  const ours = Rules.parse(JSON.parse(listed)).filter(({ protocol }) => protocol === PROTOCOL);
  return [...new Set(ours.map(({ priority }) => String(priority)))];
}

/** Tables with routes of ours. */
async function ourTables(namespace: Namespace, family: 4 | 6): Promise<string[]> {
  const listed = await namespace.runChecked("ip", ["-j", "-d", `-${family}`, "route", "show", "table", "all"]);
  const ours = Routes.parse(JSON.parse(listed)).filter(({ protocol }) => protocol === PROTOCOL);
  return [...new Set(ours.flatMap(({ table }) => table ?? []))];
}

const ip = (namespace: Namespace, family: 4 | 6, ...args: string[]) =>
  namespace.runChecked("ip", [`-${family}`, ...args]);

/** Of Millrace's routes only: the table `main` has the node's own in it. */
const flushRoutes = (namespace: Namespace, family: 4 | 6, table: string) =>
  ip(namespace, family, "route", "flush", "table", table, "protocol", PROTOCOL);

async function rules({ node }: Testbed, family: 4 | 6): Promise<ManagedObject[]> {
  return (await ourRules(node.namespace, family)).map((priority) =>
    guarded(`the ip rule of priority ${priority}`, () =>
      ip(node.namespace, family, "rule", "del", "priority", priority, "protocol", PROTOCOL),
    ),
  );
}

async function routes({ node }: Testbed, family: 4 | 6): Promise<ManagedObject[]> {
  return (await ourTables(node.namespace, family)).map((table) =>
    guarded(`the routes of table ${table}`, () => flushRoutes(node.namespace, family, table)),
  );
}

async function links(bed: Testbed): Promise<ManagedObject[]> {
  const devices = (await bed.tunnels()).map(({ device }) => device).filter((device) => device.startsWith("millrace"));
  return devices.flatMap((device) => [
    guarded(`the tunnel ${device}, set down`, () => bed.node.namespace.ip(`link set ${device} down`)),
    guarded(`the tunnel ${device}`, () => bed.node.namespace.ip(`link del ${device}`)),
  ]);
}

/** The table that keeps others from translating what is redirected, and the one that takes a bridge's frames to the IP layer. */
async function identity(bed: Testbed): Promise<ManagedObject[]> {
  const listed = await bed.node.namespace.runChecked("nft", ["list", "tables"]);
  const tables = listed.split("\n").filter((line) => /^table \S+ millrace/.test(line));
  return tables.map((table) => {
    const isBridge = table.startsWith("table bridge");
    return {
      ...guarded(`the nftables ${table}`, () => bed.node.namespace.nft(`delete ${table}\n`)),
      guarded: !isBridge,
      meanwhile: isBridge
        ? "what pods of one bridge send to each other is not captured until the next comparison with the kernel"
        : "translated destinations are captured",
    };
  });
}

function proxyNamespace(bed: Testbed, family: 4 | 6): ManagedObject[] {
  const { namespace } = bed.z;
  const file = program(bed, family);
  const first = async (...args: string[]) =>
    / ([a-z0-9-]+): <.*/.exec(await namespace.runChecked("ip", args))?.[1] ?? "";
  return [
    guarded("the rules in the proxy's namespace", async () => {
      for (const priority of await ourRules(namespace, family)) {
        await ip(namespace, family, "rule", "del", "priority", priority, "protocol", PROTOCOL);
      }
    }),
    guarded("the routes in the proxy's namespace", async () => {
      for (const table of await ourTables(namespace, family)) await flushRoutes(namespace, family, table);
    }),
    guarded("the chains in the proxy's namespace", async () => {
      const lines = (await namespace.runChecked(file, ["-w", "10", "-t", "mangle", "-S"])).split("\n");
      for (const chain of lines.flatMap((line) => /^-N (MILLRACE\S*)$/.exec(line)?.[1] ?? [])) {
        await namespace.runChecked(file, ["-w", "10", "-t", "mangle", "-F", chain]);
      }
    }),
    guarded("a tunnel in the proxy's namespace", async () => {
      await namespace.ip(`link del ${await first("-o", "link", "show", "type", await tunnelKind(bed))}`);
    }),
  ];
}

async function tunnelKind(bed: Testbed): Promise<string> {
  return (await bed.tunnels()).find(({ device }) => device.startsWith("millrace"))?.kind ?? "geneve";
}
