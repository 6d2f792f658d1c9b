import { addresses, type Family, type NetnsFd, rulesAsync } from "linux-ts";
import { CommandError } from "../commands/command-error.ts";
import { ipLinks, ipRoutes } from "../commands/ip.ts";
import { ipsetSave } from "../commands/ipset.ts";
import { iptablesSave } from "../commands/iptables.ts";
import { flavours } from "../commands/iptables-names.ts";
import { run } from "../commands/run.ts";
import type { Clash } from "./clash.ts";
import { gatewayClashes, hiddenMarkClashes, linkClashes } from "./link-clashes.ts";
import { iptablesClashes, nftClashes, setClashes } from "./netfilter-clashes.ts";
import { parseNftMarks } from "./nft-marks.ts";
import { routeClashes, ruleClashes } from "./routing-clashes.ts";
import type { Wanted } from "./wanted.ts";

interface Where {
  /** Those that the node has. */
  readonly families: readonly Family[];
  readonly netns?: NetnsFd;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Looks at everything on the node that shares a name or a number with what this backend is going to write. Changes nothing. What the
 * host has no program to tell (nft(8), one of the two flavours) cannot be looked at and is passed over.
 *
 * Ports are not here: see `choosePort`, which goes round them.
 */
export async function findClashes(wanted: Wanted, { families, ...where }: Where): Promise<Clash[]> {
  const perFamily = <T>(ask: (family: Family) => Promise<T>) => Promise.all(families.map(ask));
  const places = flavours.flatMap((flavour) => families.map((family) => ({ flavour, family })));
  const [links, sets, rules, routes, saved, ruleset] = await Promise.all([
    ipLinks(where),
    ipsetSave(where),
    perFamily(async (family) => ({ family, rules: await rulesAsync(where.netns, family) })),
    perFamily(async (family) => ({ family, routes: await ipRoutes(family, "all", where) })),
    Promise.all(
      places.map(async (place) => ({ place, rules: await ifInstalled(iptablesSave({ ...place, ...where })) })),
    ),
    ifInstalled(run("nft", ["-j", "list", "ruleset"], where)),
  ]);
  const names = new Map(links.map(({ ifindex, ifname }) => [ifindex, ifname]));
  const own = addresses(where.netns).map(({ address, index }) => ({
    address,
    link: names.get(index) ?? `link ${index}`,
  }));
  const readable = saved.flatMap(({ place, rules }) => (rules === undefined ? [] : [{ place, rules }]));
  const seenByIptables = readable
    .filter(({ place }) => place.flavour === "nft")
    .flatMap(({ place, rules }) =>
      [...rules.tables.keys()].map((name) => `${place.family === 4 ? "ip" : "ip6"} ${name}`),
    );
  return [
    ...linkClashes(links, wanted),
    ...hiddenMarkClashes(links, wanted),
    ...gatewayClashes(own, wanted),
    ...setClashes(sets, wanted),
    ...rules.flatMap(({ family, rules }) => ruleClashes(family, rules, wanted)),
    ...routes.flatMap(({ family, routes }) => routeClashes(family, routes, wanted)),
    ...readable.flatMap(({ place, rules }) => iptablesClashes(place, rules, wanted)),
    ...(ruleset === undefined ? [] : nftClashes(parseNftMarks(ruleset), new Set(seenByIptables), wanted)),
  ];
}

async function ifInstalled<T>(running: Promise<T>): Promise<T | undefined> {
  try {
    return await running;
  } catch (error) {
    if (error instanceof CommandError && error.code === "ERR_COMMAND_MISSING") return undefined;
    throw error;
  }
}
