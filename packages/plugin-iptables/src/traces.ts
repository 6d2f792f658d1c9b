import { existsSync } from "node:fs";
import type { NamespacePlace, PluginContext, Trace } from "@millrace/core";
import { describeRoute, describeRule, nftTableTraces, RTPROT_MILLRACE } from "@millrace/host";
import { ipSets, links, nftChains, routes, rules } from "linux-ts";
import { isWithin, type WantedRouting, wantedRouting } from "./clash/wanted.ts";
import { iptablesSave, legacyTables } from "./commands/iptables.ts";
import type { IptablesConfig } from "./config.ts";
import { FAMILIES, isOurChain, NFT_TABLE } from "./layout.ts";
import { isTunnelMac } from "./tunnel.ts";

/** Every set of ours, of any version; in the list of `layout.ts` are those of this one. */
const SET = /^millrace-/;

const TUNNELS = ["geneve", "vxlan"];

/**
 * Everything of this backend that the kernel has, told by names, Ethernet addresses and, together, priority and table. Rules and routes that
 * have our protocol are not among it: `@millrace/host` tells them. Nothing is made by looking: not even a table of iptables.
 */
export async function traces(
  { config, signal }: Pick<PluginContext<IptablesConfig>, "config" | "signal">,
  namespaces: readonly NamespacePlace[],
): Promise<Trace[]> {
  const found: Trace[] = [];
  for (const place of namespaces) {
    found.push(...ofLinks(place, config), ...ofNetfilter(place), ...(await ofLegacyTables(place, signal)));
    if (place.fd === undefined) found.push(...ofRouting(place, wantedRouting(config)));
  }
  return found;
}

/** Tunnels by the names that are configured, and by the Ethernet addresses that every version gave them. */
function ofLinks({ fd, name: where }: NamespacePlace, { links: names }: IptablesConfig): Trace[] {
  const ours: readonly string[] = [names.outbound, names.inbound];
  return links(fd)
    .filter(({ kind }) => TUNNELS.includes(kind ?? ""))
    .filter(({ name, mac }) => ours.includes(name) || isTunnelMac(mac))
    .map(({ name, mac, kind }) => {
      const mark = isTunnelMac(mac) ? `Ethernet address ${mac}` : "name";
      return { kind: `${kind} link`, where, what: name, mark };
    });
}

function ofNetfilter({ fd, name: where }: NamespacePlace): Trace[] {
  const trace = (kind: string, what: string): Trace => ({ kind, where, what, mark: "name" });
  const chains = (nftChains(fd) ?? []).filter(({ name }) => isOurChain(name));
  return [
    ...nftTableTraces({ fd, name: where }, NFT_TABLE),
    ...chains.map(({ family, table, name }) => trace("iptables-nft chain", `${family} ${table} ${name}`)),
    ...(ipSets(fd) ?? []).filter((name) => SET.test(name)).map((name) => trace("ipset", name)),
  ];
}

async function ofLegacyTables({ fd, name: where }: NamespacePlace, signal: AbortSignal): Promise<Trace[]> {
  const found: Trace[] = [];
  for (const family of FAMILIES) {
    // It is there in every namespace or in none, and asking another one takes a process.
    if (!existsSync(`/proc/self/net/${family === 4 ? "ip" : "ip6"}_tables_names`)) continue;
    const place = { netns: fd, signal };
    if ((await legacyTables(family, place)).length === 0) continue;
    const { tables } = await iptablesSave({ ...place, flavour: "legacy", family });
    for (const [table, chains] of tables) {
      for (const name of [...chains.keys()].filter(isOurChain)) {
        found.push({ kind: `iptables-legacy IPv${family} chain`, where, what: `${table} ${name}`, mark: "name" });
      }
    }
  }
  return found;
}

/** What lost its protocol, as by a tool that saved and restored it: nobody else has a rule of our priorities to one of our tables. */
function ofRouting({ fd, name: where }: NamespacePlace, { priorities, tables }: WantedRouting): Trace[] {
  const [firstPriority, lastPriority] = priorities;
  const [first, last] = tables;
  return FAMILIES.flatMap((family) => [
    ...rules(fd, family)
      .filter(({ protocol }) => protocol !== RTPROT_MILLRACE)
      .filter(({ priority, table }) => isWithin(priorities, priority) && isWithin(tables, table))
      .map((rule) => ({
        kind: `IPv${family} rule`,
        where,
        what: describeRule(rule),
        mark: `priority ${firstPriority} to ${lastPriority} and table ${first} to ${last}`,
      })),
    ...routes(fd, { family })
      .filter(({ protocol, table }) => protocol !== RTPROT_MILLRACE && isWithin(tables, table))
      .map((route) => ({
        kind: `IPv${family} route`,
        where,
        what: describeRoute(route),
        mark: `table ${first} to ${last}`,
      })),
  ]);
}
