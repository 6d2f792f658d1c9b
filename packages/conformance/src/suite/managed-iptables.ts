import { subjects } from "@millrace/core/internal";
import { guarded, type ListManaged, type ManagedObject, quietly } from "./managed-objects.ts";
import {
  flushRoutes,
  ip,
  misleadRoutes,
  misleadRule,
  ourRules,
  ourTables,
  PROTOCOL,
  proxyRouting,
  routingLines,
} from "./managed-routing.ts";
import type { Testbed } from "./testbed.ts";

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

const program = ({ options }: Testbed, family: 4 | 6): string =>
  `${family === 4 ? "iptables" : "ip6tables"}-${options.backendConfig.flavour === "legacy" ? "legacy" : "nft"}`;

/** In each table: the jump into our first chain, then the rules of all our chains. */
async function chains(bed: Testbed, family: 4 | 6): Promise<ManagedObject[]> {
  const { namespace } = bed.node;
  const file = program(bed, family);
  const run = (...args: string[]) => namespace.runChecked(file, ["-w", "10", ...args]);
  const found: ManagedObject[] = [];
  for (const table of ["raw", "mangle", "nat", "filter"]) {
    const printed = (await run("-t", table, "-S")).split("\n");
    const ours = printed.flatMap((line) => /^-N (MILLRACE\S*)$/.exec(line)?.[1] ?? []);
    const [jump] = printed.filter((line) => /^-A [A-Z]+ .*-j MILLRACE/.test(line));
    const lines = new RegExp(`: (nftables|${family === 4 ? "iptables" : "ip6tables"} \\S+): .*\\b${table}\\b`);
    if (jump !== undefined) {
      const rule = jump.replaceAll('"', "").split(" ").slice(1);
      const [chain = "", ...what] = rule;
      const at = what.indexOf("-j");
      found.push(
        guarded(`an IPv${family} jump in ${table}`, lines, {
          remove: quietly(() => run("-t", table, "-D", ...rule)),
          change: quietly(async () => {
            await run("-t", table, "-D", ...rule);
            await run("-t", table, "-I", chain, ...what.slice(0, at), "-m", "mark", "--mark", "0x1", ...what.slice(at));
          }),
        }),
      );
    }
    if (ours.length > 0) {
      const filled = ours.filter((chain) => printed.some((line) => line.startsWith(`-A ${chain} `)));
      found.push(
        guarded(`the IPv${family} rules in ${table}`, lines, {
          remove: quietly(async () => {
            for (const chain of ours) await run("-t", table, "-F", chain);
          }),
          change: quietly(async () => {
            for (const chain of filled.slice(0, 1)) await run("-t", table, "-D", chain, "1");
          }),
        }),
      );
    }
  }
  return found;
}

/** Its entries end by themselves, with the connections that they let go on. */
const PASSING = /^millrace-(settling|answered)/;

/** Sets that hold members, whose comments say which: emptied, or with an entry that is nobody's. */
async function sets(bed: Testbed, family: 4 | 6): Promise<ManagedObject[]> {
  const { namespace } = bed.node;
  const saved = (await namespace.runChecked("ipset", ["save"])).split("\n");
  const ours = new RegExp(`^add (millrace-[a-z]+${family}\\S*) `);
  const names = [...new Set(saved.flatMap((line) => ours.exec(line)?.[1] ?? []))];
  return names
    .filter((name) => !PASSING.test(name))
    .map((name) => {
      const own = saved.find((line) => line.startsWith(`add ${name} `) && line.includes(bed.m1.uid));
      const element = own?.split(" ")[2];
      return {
        ...guarded(`the entries of the set ${name}`, new RegExp(`: sets: .*\\b${name}\\b`), {
          remove: quietly(() => namespace.runChecked("ipset", ["flush", name])),
          ...(element !== undefined && {
            change: quietly(() =>
              namespace.runChecked("ipset", ["add", "-exist", name, element, "comment", "somebody else's"]),
            ),
          }),
        }),
        subject: element === undefined ? subjects.proxies : subjects.workload(bed.m1.uid),
      };
    });
}

async function rules({ node }: Testbed, family: 4 | 6): Promise<ManagedObject[]> {
  const { namespace } = node;
  return (await ourRules(namespace, family)).map((priority) =>
    guarded(`the IPv${family} rule of priority ${priority}`, routingLines(family), {
      remove: quietly(() => ip(namespace, family, "rule", "del", "priority", priority, "protocol", PROTOCOL)),
      change: () => misleadRule(namespace, family, priority),
    }),
  );
}

/** The table with a route for each member; see the backend's `tables.first`. */
const INBOUND_TABLE = "15101";

async function routes({ node, m1 }: Testbed, family: 4 | 6): Promise<ManagedObject[]> {
  const { namespace } = node;
  return (await ourTables(namespace, family)).map((table) => ({
    ...guarded(`the IPv${family} routes of table ${table}`, routingLines(family), {
      remove: quietly(() => flushRoutes(namespace, family, table)),
      // The table main is everybody's: a default route there would be the node's.
      ...(table !== "main" && { change: () => misleadRoutes(namespace, family, table) }),
    }),
    ...(table === INBOUND_TABLE && { subject: subjects.workload(m1.uid) }),
  }));
}

async function links(bed: Testbed): Promise<ManagedObject[]> {
  const { namespace } = bed.node;
  const devices = (await bed.tunnels()).map(({ device }) => device).filter((device) => device.startsWith("millrace"));
  return devices.flatMap((device) => {
    const lines = new RegExp(`: (links and addresses|routes and rules v[46]|qdiscs|sysctls): .*\\b${device}\\b`);
    return [
      guarded(`the tunnel ${device}`, lines, {
        remove: quietly(() => namespace.ip(`link del ${device}`)),
        change: quietly(() => namespace.ip(`link set ${device} down`)),
      }),
      guarded(`the MTU of the tunnel ${device}`, lines, {
        change: quietly(() => namespace.ip(`link set ${device} mtu 1280`)),
      }),
    ];
  });
}

/** The table that keeps others from translating what is redirected, and the one that takes a bridge's frames to the IP layer. */
async function identity(bed: Testbed): Promise<ManagedObject[]> {
  const { namespace } = bed.node;
  const listed = await namespace.runChecked("nft", ["list", "tables"]);
  const tables = listed.split("\n").flatMap((line) => /^table (\S+ millrace\S*)/.exec(line)?.[1] ?? []);
  return Promise.all(
    tables.map(async (table) => {
      const isBridge = table.startsWith("bridge");
      const chain = /chain (\S+) \{/.exec(
        await namespace.runChecked("nft", ["list", "table", ...table.split(" ")]),
      )?.[1];
      return {
        ...guarded(`the nftables table ${table}`, new RegExp(`: nftables: table ${table}\\b`), {
          remove: quietly(() => namespace.nft(`delete table ${table}\n`)),
          ...(chain !== undefined && { change: quietly(() => namespace.nft(`flush chain ${table} ${chain}\n`)) }),
        }),
        guarded: !isBridge,
        meanwhile: isBridge
          ? "what pods of one bridge send to each other is not captured until the next comparison with the kernel"
          : "translated destinations are captured",
      };
    }),
  );
}

function proxyNamespace(bed: Testbed, family: 4 | 6): ManagedObject[] {
  const { namespace } = bed.z;
  const file = program(bed, family);
  const device = async () =>
    / ([a-z0-9-]+): <.*/.exec(
      await namespace.runChecked("ip", ["-o", "link", "show", "type", await tunnelKind(bed)]),
    )?.[1] ?? "";
  const ownChains = async () => {
    const lines = (await namespace.runChecked(file, ["-w", "10", "-t", "mangle", "-S"])).split("\n");
    return lines.flatMap((line) => /^-N (MILLRACE\S*)$/.exec(line)?.[1] ?? []);
  };
  return [
    ...proxyRouting(bed, family),
    guarded(
      `the IPv${family} chains in the proxy's namespace`,
      new RegExp(`: (nftables|${family === 4 ? "iptables" : "ip6tables"} \\S+): .*\\bmangle\\b`),
      {
        remove: async () => {
          for (const chain of await ownChains())
            await namespace.runChecked(file, ["-w", "10", "-t", "mangle", "-F", chain]);
        },
        change: async () => {
          const [chain = ""] = await ownChains();
          await namespace.runChecked(file, ["-w", "10", "-t", "mangle", "-D", chain, "1"]);
        },
      },
    ),
    guarded(
      "a tunnel in the proxy's namespace",
      /: (links and addresses|routes and rules v[46]|qdiscs|sysctls): .*\bmillrace-\w+/,
      {
        remove: async () => void (await namespace.ip(`link del ${await device()}`)),
        change: async () => void (await namespace.ip(`link set ${await device()} down`)),
      },
    ),
  ];
}

async function tunnelKind(bed: Testbed): Promise<string> {
  return (await bed.tunnels()).find(({ device }) => device.startsWith("millrace"))?.kind ?? "geneve";
}
