import type { Family } from "linux-ts";
import { deleteRoute } from "linux-ts";
import { ensureProxyPorts, liftProblems, portProblem, readLift, removeLift } from "./bridge-lift.ts";
import { proxyPort } from "./bridge-of.ts";
import type { TableListing } from "./bridge-ports.ts";
import type { SavedRules } from "./commands/parse-iptables-save.ts";
import { answering, clearConnectionMarks, dnsAddresses, forgetQuestions } from "./conntrack.ts";
import {
  directRoutes,
  ensureRules as ensureHostRules,
  ensureRoutes,
  hostRuleProblems,
  isSame,
  ownRoutes,
  removeHostRules,
  routeProblems,
  wantedRoutes,
} from "./host-routing.ts";
import { hostInput } from "./host-rule-input.ts";
import { answeredSet, interfaceSet, setsOf } from "./layout.ts";
import { destroySets, ensureSets, sweepNetworkSets, sweepSets } from "./member-sets.ts";
import { type MemberEntries, readEntries } from "./members.ts";
import { ensureNatIdentity, natIdentityProblems, removeNatIdentity } from "./nat-identity.ts";
import type { NodeContext } from "./node-context.ts";
import type { SlotIdentity } from "./notes.ts";
import { tunnelAddress } from "./proxy-netns.ts";
import type { ExcludedNetwork } from "./rules/host-input.ts";
import { hostRules } from "./rules/host-rules.ts";
import type { Ruleset } from "./rules/ruleset.ts";
import { ensureRules, type RulesPlace, removeLeftBehind, removeRules, ruleProblems, save } from "./rules/sync-rules.ts";
import { ensureTunnels, removeTunnels, tunnelProblems } from "./tunnel.ts";

/** The proxies as the node sends to them. */
export interface Sending {
  readonly slots: ReadonlyMap<number, SlotIdentity>;
  /** Slot that new connections go to. */
  readonly active: number | undefined;
}

/**
 * Makes the node's side be so, all but the members' own entries. Sets come first, because rules name them; rules that stop come before
 * routes that lead; where the tunnels lead to comes last: until then new connections go to the proxy before.
 */
export async function ensureShared(context: NodeContext, sending: Sending): Promise<void> {
  const entries = await readEntries(context);
  await ensureSets(context, [...sending.slots.keys()], entries);
  await ensureNatIdentity(context);
  await ensureNodeRules(context, sending, entries.networks());
  // Behind the rules that tell a proxy by its port, ahead of sending to it.
  await ensureProxyPorts(context, sending.slots);
  await removeLeftBehind(placeOf(context), context.leftBehind);
  // The way back to a proxy before anything is sent there: its first answer may be a packet away.
  ensureRoutes(directRoutes(context, sending.slots), ownRoutes(context));
  await ensureTunnels(context, "node", node(context), remoteOf(sending));
  const wanted = wantedRoutes(context, sending.slots, entries.addresses().keys());
  ensureRoutes(wanted, ownRoutes(context));
  await ensureHostRules(context, sending.slots);
  // What only slots had that are not used any more.
  for (const route of ownRoutes(context)) {
    if (!wanted.some((spec) => isSame(route, spec))) deleteRoute(undefined, route);
  }
  await sweepSets(context, [...sending.slots.keys()], entries);
  await sweepNetworkSets(context, entries);
  forgetQuestions(context, dnsAddresses(entries.all), answering(sending));
}

/** Brings the rules alone up to date: after a proxy has changed, or what is excluded. */
export async function ensureNodeRules(
  context: NodeContext,
  sending: Sending,
  networks: readonly ExcludedNetwork[],
): Promise<void> {
  for (const family of context.families) {
    await ensureRules(placeOf(context), rulesetOf(context, family, sending, networks));
  }
}

/** What is read for several questions. */
export interface NodeReading {
  readonly entries: MemberEntries;
  /** What lifts frames of bridges. */
  readonly lift: TableListing;
  readonly rules: ReadonlyMap<Family, SavedRules>;
}

export async function readNode(context: NodeContext): Promise<NodeReading> {
  const rules = new Map<Family, SavedRules>();
  for (const family of context.families) rules.set(family, await save(placeOf(context), { family }, true));
  return { entries: await readEntries(context), lift: await readLift(context), rules };
}

export async function sharedProblems(
  context: NodeContext,
  { slots, active }: Sending,
  { entries, lift, rules: saved }: NodeReading,
): Promise<string[]> {
  const rules = [...saved].map(([family, found]) =>
    ruleProblems(placeOf(context), rulesetOf(context, family, { slots, active }, entries.networks()), found),
  );
  const shared = wantedRoutes(context, slots, []);
  const members = new Set(entries.addresses().keys());
  const leftOver = ownRoutes(context).filter(({ dst }) => !members.has(dst.replace(/\/\d+$/, "")));
  return [
    ...[...entries.missingSets, ...missingAnswered(context, slots, entries.names)].map(
      (name) => `set ${name} is missing`,
    ),
    ...[...entries.unlisted].flatMap(([family, parts]) =>
      parts.map((part) => `set ${setsOf(family).iface} does not have ${interfaceSet(family, part)} in it`),
    ),
    ...entries.unknown.map((name) => `entry ${name} is nobody's`),
    ...rules.flat(),
    ...(await natIdentityProblems(context)),
    ...liftProblems(context, lift),
    ...[...slots].flatMap(([slot, identity]) => portProblem(() => proxyPort(slot, identity), lift)),
    ...(await tunnelProblems(context, "node", node(context), remoteOf({ slots, active }))),
    ...(await hostRuleProblems(context, slots)),
    ...routeProblems(shared, leftOver),
  ];
}

function missingAnswered({ families }: NodeContext, slots: Sending["slots"], names: ReadonlySet<string>): string[] {
  const wanted = families.flatMap((family) => [...slots.keys()].map((slot) => answeredSet(family, slot)));
  return wanted.filter((name) => !names.has(name));
}

/** Removes everything of the node's side: what leads first, what stops last. */
export async function removeShared(context: NodeContext): Promise<void> {
  await removeHostRules(context);
  for (const route of ownRoutes(context)) deleteRoute(undefined, route);
  await removeTunnels(context, node(context));
  await removeRules(placeOf(context));
  await removeLift(context);
  await removeNatIdentity(context);
  clearConnectionMarks(context);
  await destroySets(context);
}

export function placeOf({ flavour, printed, signal }: NodeContext): RulesPlace {
  return { name: "node", netns: undefined, flavour, printed, signal };
}

function rulesetOf(
  context: NodeContext,
  family: Family,
  { slots, active }: Sending,
  networks: readonly ExcludedNetwork[],
): Ruleset {
  return hostRules(hostInput(context, family, slots, active, networks));
}

function remoteOf({ slots, active }: Sending): string | undefined {
  const identity = active === undefined ? undefined : slots.get(active);
  return identity && tunnelAddress(identity);
}

const node = ({ netnsInode }: NodeContext) => ({ fd: undefined, inode: netnsInode });
