import { deleteRoute, type Family, type Route, type Rule, rulesAsync } from "linux-ts";
import { ensureProxyPorts, liftProblems, portProblem, readLift, removeLift } from "./bridge-lift.ts";
import { proxyPort } from "./bridge-of.ts";
import type { TableListing } from "./bridge-ports.ts";
import type { SavedRules } from "./commands/parse-iptables-save.ts";
import { answering, clearConnectionMarks, dnsAddresses, forgetQuestions } from "./conntrack.ts";
import {
  addHostRules,
  deleteHostRules,
  directRoutes,
  ensureRoutes,
  hostRuleProblems,
  isOurs,
  isSame,
  ownRoutes,
  readRoutes,
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
import { notePlain, setsOfZones, slotsWithoutZone } from "./open-connections.ts";
import { tunnelAddress } from "./proxy-netns.ts";
import type { ExcludedNetwork } from "./rules/host-input.ts";
import { hostRules, standbyRules } from "./rules/host-rules.ts";
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
 * Makes the node's side be so, all but the members' own entries; the agent may die between any two steps. Sets come first, because rules name
 * them. Where a mark leads comes before the rules that mark and stop, because what is marked and led nowhere is dropped: also what answers a
 * proxy whose connections another backend has begun. Where the tunnels lead to comes last: until then new connections go to the proxy before.
 */
export async function ensureShared(context: NodeContext, sending: Sending): Promise<void> {
  const entries = await readEntries(context);
  await ensureSets(context, [...sending.slots.keys()], entries);
  const admitted = await proxiesToAdmit(context, sending);
  await ensureNatIdentity(context);
  ensureRoutes(directRoutes(context, sending.slots), ownRoutes(context));
  const leftOver = await addHostRules(context, sending.slots);
  await admitProxies(context, sending, entries.networks(), admitted);
  await ensureNodeRules(context, sending, entries.networks());
  // Behind the rules that tell a proxy by its port, ahead of sending to it.
  await ensureProxyPorts(context, sending.slots);
  await removeLeftBehind(placeOf(context), context.leftBehind);
  await ensureTunnels(context, "node", node(context), remoteOf(sending));
  const wanted = wantedRoutes(context, sending.slots, entries.addresses().keys());
  ensureRoutes(wanted, ownRoutes(context));
  await deleteHostRules(context, leftOver);
  // What only slots had that are not used any more.
  for (const route of ownRoutes(context)) {
    if (!wanted.some((spec) => isSame(route, spec))) deleteRoute(undefined, route);
  }
  await sweepSets(context, [...sending.slots.keys()], entries);
  await sweepNetworkSets(context, entries);
  forgetQuestions(context, dnsAddresses(entries.all), answering(sending));
}

/**
 * Slots whose proxies get a zone for what they open, by family, having noted what they have open. Ahead of every rule for which the kernel begins
 * to track connections: it takes up what is open by the packet that comes first, whichever way that goes, and should find neither
 * way with a zone from then on.
 */
async function proxiesToAdmit(context: NodeContext, sending: Sending): Promise<ReadonlyMap<Family, readonly number[]>> {
  const admitted = new Map<Family, readonly number[]>();
  for (const family of context.families) {
    const saved = await save(placeOf(context), { family });
    const noting = slotsWithoutZone(saved, context.layout, sending.slots.keys());
    if (noting.length === 0) continue;
    await notePlain(context, sending.slots, { family, noting });
    admitted.set(family, noting);
  }
  return admitted;
}

/**
 * Before what a proxy opens gets a zone: what is open already has none, if another backend has led it there, and would be another connection by
 * one. First every SYN is noted, then what is open, so that none is missed; whoever does it a second time notes the same.
 */
async function admitProxies(
  context: NodeContext,
  sending: Sending,
  networks: readonly ExcludedNetwork[],
  admitted: ReadonlyMap<Family, readonly number[]>,
): Promise<void> {
  for (const [family, noting] of admitted) {
    await ensureRules(placeOf(context), rulesetOf(context, family, sending, networks, noting));
    await notePlain(context, sending.slots, { family, noting });
  }
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
  /** Rules of routing, whoever made them. */
  readonly routing: ReadonlyMap<Family, readonly Rule[]>;
  /** Routes of our tables, whoever made them, and of the table main our own. */
  readonly routes: readonly Route[];
}

export async function readNode(context: NodeContext): Promise<NodeReading> {
  const rules = new Map<Family, SavedRules>();
  const routing = new Map<Family, readonly Rule[]>();
  for (const family of context.families) {
    rules.set(family, await save(placeOf(context), { family }, true));
    routing.set(family, await rulesAsync(undefined, family));
  }
  const entries = await readEntries(context);
  return { entries, lift: await readLift(context), rules, routing, routes: readRoutes(context) };
}

export async function sharedProblems(
  context: NodeContext,
  { slots, active }: Sending,
  { entries, lift, rules: saved, routing, routes }: NodeReading,
): Promise<string[]> {
  const rules = [...saved].map(([family, found]) =>
    ruleProblems(placeOf(context), rulesetOf(context, family, { slots, active }, entries.networks()), found),
  );
  const shared = wantedRoutes(context, slots, []);
  const members = new Set(entries.addresses().keys());
  const leftOver = routes.filter((route) => isOurs(route) && !members.has(route.dst.replace(/\/\d+$/, "")));
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
    ...hostRuleProblems(context, slots, routing),
    ...routeProblems(shared, leftOver),
  ];
}

function missingAnswered({ families }: NodeContext, slots: Sending["slots"], names: ReadonlySet<string>): string[] {
  const wanted = families.flatMap((family) => [...slots.keys()].map((slot) => answeredSet(family, slot)));
  return wanted.filter((name) => !names.has(name));
}

/**
 * Removes everything of the node's side: what leads first, what stops last. `staying`: the proxies whose connections go on in their zones, by another
 * backend; the rules for those stay.
 */
export async function removeShared(
  context: NodeContext,
  staying: ReadonlyMap<number, SlotIdentity> = new Map(),
): Promise<void> {
  // Nobody is a member any more, and an agent may die here: what is not marked any more needs no route of ours, and nothing stops it.
  if (staying.size > 0) await standBy(context, staying);
  await removeHostRules(context);
  for (const route of ownRoutes(context)) deleteRoute(undefined, route);
  await removeTunnels(context, node(context));
  if (staying.size === 0) await removeRules(placeOf(context));
  await removeLift(context);
  await removeNatIdentity(context);
  clearConnectionMarks(context);
  await destroySets(context, setsOfZones(staying.keys()));
}

async function standBy(context: NodeContext, staying: ReadonlyMap<number, SlotIdentity>): Promise<void> {
  for (const family of context.families) {
    const { layout, slots } = hostInput(context, family, staying, undefined, []);
    await ensureRules(placeOf(context), standbyRules(family, layout, slots));
  }
}

export function placeOf({ flavour, printed, signal }: NodeContext): RulesPlace {
  return { name: "node", netns: undefined, flavour, printed, signal };
}

function rulesetOf(
  context: NodeContext,
  family: Family,
  { slots, active }: Sending,
  networks: readonly ExcludedNetwork[],
  noting: readonly number[] = [],
): Ruleset {
  return hostRules(hostInput(context, family, slots, active, networks, noting));
}

function remoteOf({ slots, active }: Sending): string | undefined {
  const identity = active === undefined ? undefined : slots.get(active);
  return identity && tunnelAddress(identity);
}

const node = ({ netnsInode }: NodeContext) => ({ fd: undefined, inode: netnsInode });
