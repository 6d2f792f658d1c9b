import { canonicalAddress, sortedUnique } from "@millrace/core/internal";
import {
  ensureRouting,
  looseReversePath,
  type NetnsHandle,
  noForwarding,
  ownArpOnly,
  ownSourcePorts,
  removeRouting,
  routingProblems,
} from "@millrace/host";
import { addresses, type Family, links, type Netns } from "linux-ts";
import { run } from "./commands/run.ts";
import { IptablesError } from "./errors.ts";
import { familyOf } from "./members.ts";
import type { NodeContext } from "./node-context.ts";
import type { SlotIdentity } from "./notes.ts";
import { proxyRules } from "./rules/proxy-rules.ts";
import type { Ruleset } from "./rules/ruleset.ts";
import { ensureRules, type RulesPlace, removeLeftBehind, removeRules, ruleProblems, save } from "./rules/sync-rules.ts";
import { ensureTunnels, removeTunnels, tunnelProblems } from "./tunnel.ts";

/** Holder of the sysctls in a proxy's namespace. Another backend that serves the same proxy has a holder of its own. */
export const PROXY_HOLDER = "iptables:proxy";

/** The inside of a proxy: its namespace as it is open now, and what it has to be made into. */
export interface ProxyInside {
  readonly netns: Netns;
  readonly identity: SlotIdentity;
}

/**
 * Makes a proxy's namespace ready to receive what the node redirects. Connections that are there already are not disturbed. `proxies` are
 * all namespaces of proxies that the node has.
 */
export async function ensureInside(
  context: NodeContext,
  inside: ProxyInside,
  proxies: readonly NetnsHandle[],
): Promise<void> {
  const { config, journal } = context;
  const { netns, identity } = inside;
  journal.change(PROXY_HOLDER, netns, [...wantedSysctls(context, inside), ...ownSourcePorts(journal, netns, proxies)]);
  const node = await nodeAddress(context, tunnelAddress(identity));
  for (const family of context.families) {
    await ensureRules(placeOf(context, inside), rulesetOf(context, inside, family, node));
  }
  await removeLeftBehind(placeOf(context, inside), context.leftBehind);
  await ensureTunnels(context, "proxy", netns, node);
  ensureRouting(routingPlace(context, inside), config.proxyRouting);
}

export async function insideProblems(context: NodeContext, inside: ProxyInside): Promise<string[]> {
  const { config, journal } = context;
  const { netns, identity } = inside;
  const node = await nodeAddress(context, tunnelAddress(identity));
  const place = placeOf(context, inside);
  const rules = await Promise.all(
    context.families.map(async (family) =>
      ruleProblems(place, rulesetOf(context, inside, family, node), await save(place, { family })),
    ),
  );
  const tunnels = await tunnelProblems(context, "proxy", netns, node);
  const hasTunnels = !tunnels.some((problem) => problem.endsWith("is missing"));
  return [
    ...rules.flat(),
    ...tunnels,
    ...(hasTunnels ? routingProblems(routingPlace(context, inside), config.proxyRouting) : []),
    ...journal.drifted(PROXY_HOLDER, netns),
  ];
}

/** Takes everything out again. */
export async function leaveInside(context: NodeContext, inside: ProxyInside): Promise<void> {
  const { config, journal } = context;
  removeRouting(inside.netns, config.proxyRouting);
  await removeTunnels(context, inside.netns);
  await removeRules(placeOf(context, inside));
  journal.restore(PROXY_HOLDER, inside.netns);
}

/** Forgets a namespace that is gone with everything in it. */
export function forgetInside({ journal, printed, families }: NodeContext, { netnsInode }: SlotIdentity): void {
  journal.forget(netnsInode);
  for (const family of families) printed.delete(`${placeName(netnsInode)}-ipv${family}`);
}

/** Addresses by which a proxy's namespace can be reached: those of its interfaces, but for loopback and link-local ones. */
export function insideAddresses(netns: number): string[] {
  const found = addresses(netns)
    .filter(({ scope }) => scope === "global" || scope === "site")
    .map(({ address }) => canonicalAddress(address) ?? address);
  return sortedUnique(found);
}

/** Where the tunnels lead: one family is enough for packets of both. */
export function tunnelAddress({ addresses, name }: Pick<SlotIdentity, "addresses" | "name">): string {
  const address = addresses.find((candidate) => familyOf(candidate) === 4) ?? addresses[0];
  if (address !== undefined) return address;
  throw new IptablesError(
    "ERR_INTERFACE_GONE",
    `the proxy ${name} has no address that the node could send to: wait until its interface has one`,
  );
}

/** The address by which a proxy sees the node's end of the tunnels: what the node's routes give to packets for it. */
async function nodeAddress({ signal }: NodeContext, proxy: string): Promise<string> {
  const [route] = JSON.parse(await run("ip", ["-N", "-j", "route", "get", proxy], { signal }));
  if (typeof route?.prefsrc === "string") return route.prefsrc;
  throw new IptablesError(
    "ERR_KERNEL",
    `the node has no address to send to its proxy ${proxy} from: see ip route get ${proxy}`,
  );
}

function wantedSysctls({ layout }: NodeContext, { netns, identity }: ProxyInside) {
  const tunnels: readonly string[] = [layout.links.outbound, layout.links.inbound];
  const interfaces = links(netns.fd).map(({ name }) => name);
  return [
    ...looseReversePath(netns, identity.ifName),
    ...ownArpOnly(netns, identity.ifName),
    ...noForwarding(
      netns,
      identity.ifName,
      interfaces.filter((name) => !tunnels.includes(name)),
    ),
  ];
}

function rulesetOf(context: NodeContext, { identity }: ProxyInside, family: Family, node: string): Ruleset {
  const { layout, port } = context;
  const own = identity.addresses.filter((address) => familyOf(address) === family);
  const tunnel = { family: familyOf(node), port, node };
  return proxyRules({ family, layout, ifName: identity.ifName, addresses: own, tunnel });
}

function routingPlace({ layout }: NodeContext, { netns, identity }: ProxyInside) {
  return {
    netns: netns satisfies NetnsHandle,
    ifNames: [identity.ifName, layout.links.outbound, layout.links.inbound],
  };
}

function placeOf({ flavour, printed, signal }: NodeContext, { netns }: ProxyInside): RulesPlace {
  return { name: placeName(netns.inode), netns: netns.fd, flavour, printed, signal };
}

const placeName = (netnsInode: number): string => `proxy-${netnsInode}`;
