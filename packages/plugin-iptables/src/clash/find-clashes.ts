import { addresses, type Family, type NetnsFd } from "linux-ts";
import { CommandError } from "../commands/command-error.ts";
import { ipLinks, ipRoutes, ipRules } from "../commands/ip.ts";
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
  const links = await ipLinks(where);
  const names = new Map(links.map(({ ifindex, ifname }) => [ifindex, ifname]));
  const own = addresses(where.netns).map(({ address, index }) => ({
    address,
    link: names.get(index) ?? `link ${index}`,
  }));
  const clashes = [
    ...linkClashes(links, wanted),
    ...hiddenMarkClashes(links, wanted),
    ...gatewayClashes(own, wanted),
    ...setClashes(await ipsetSave(where), wanted),
  ];
  for (const family of families) {
    clashes.push(...ruleClashes(family, await ipRules(family, where), wanted));
    clashes.push(...routeClashes(family, await ipRoutes(family, "all", where), wanted));
  }
  const seenByIptables = new Set<string>();
  for (const flavour of flavours) {
    for (const family of families) {
      const saved = await ifInstalled(iptablesSave({ flavour, family, ...where }));
      if (saved === undefined) continue;
      clashes.push(...iptablesClashes({ flavour, family }, saved, wanted));
      if (flavour === "legacy") continue;
      for (const table of saved.tables.keys()) seenByIptables.add(`${family === 4 ? "ip" : "ip6"} ${table}`);
    }
  }
  const ruleset = await ifInstalled(run("nft", ["-j", "list", "ruleset"], where));
  if (ruleset !== undefined) clashes.push(...nftClashes(parseNftMarks(ruleset), seenByIptables, wanted));
  return clashes;
}

async function ifInstalled<T>(running: Promise<T>): Promise<T | undefined> {
  try {
    return await running;
  } catch (error) {
    if (error instanceof CommandError && error.code === "ERR_COMMAND_MISSING") return undefined;
    throw error;
  }
}
