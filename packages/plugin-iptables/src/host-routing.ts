import { RTPROT_MILLRACE } from "@millrace/host";
import {
  addRoute,
  deleteRoute,
  type Family,
  link,
  type Route,
  type RouteSpec,
  type Rule,
  routes,
  rulesAsync,
} from "linux-ts";
import { ALL_BITS, hex } from "./clash/mark-bits.ts";
import { ipBatch } from "./commands/ip.ts";
import { MAX_SLOTS } from "./marks.ts";
import { familyOf } from "./members.ts";
import type { NodeContext } from "./node-context.ts";
import type { SlotIdentity } from "./notes.ts";

/** Comes behind every route of ours: when an interface is gone, its routes are, and nothing may go on to the main table. */
const LAST_METRIC = 4096;
/** RT_TABLE_MAIN (include/uapi/linux/rtnetlink.h). */
const MAIN = 254;
const DEFAULT = { 4: "0.0.0.0/0", 6: "::/0" } as const;
const LENGTH = { 4: 32, 6: 128 } as const;

/**
 * The rules of the node, all but one kind made once and for good. In the order of their priorities:
 *
 * - from a proxy's interface, from a tunnel: to the end. No packet that is routed comes that way; the kernel's reverse path check does,
 *   with the interface that a packet is to leave by (net/ipv4/fib_frontend.c, __fib_validate_source()), and with the packet's own mark
 *   where net.ipv4.conf.*.src_valid_mark is set.
 * - straight to a proxy, also for what the node itself answers;
 * - to the inbound tunnel, if the destination is a member: that table has nothing else in it;
 * - made by the node itself: to the end. Probes are that, and the outer packets of the tunnels, which keep their mark;
 * - to the outbound tunnel.
 */
export function wantedRules(
  { layout }: Pick<NodeContext, "layout">,
  slots: ReadonlyMap<number, SlotIdentity>,
): string[] {
  const { marks, priorities, tables, links } = layout;
  const end = `goto ${priorities.end}`;
  return [
    `${priorities.end} nop`,
    ...[...slots.values()]
      .filter(({ device, hostName }) => device === hostName)
      .map(({ device }) => `${priorities.fromProxy} iif ${device} ${end}`),
    ...[links.outbound, links.inbound].map((name) => `${priorities.reversePath} iif ${name} ${end}`),
    ...Array.from(
      { length: MAX_SLOTS },
      (_, slot) => `${priorities.direct} fwmark ${marks.proxy(slot)} table ${tables.direct(slot)}`,
    ),
    `${priorities.inbound} fwmark ${marks.in} table ${tables.inbound}`,
    `${priorities.local} iif lo ${end}`,
    `${priorities.outbound} fwmark ${marks.out} table ${tables.outbound}`,
  ];
}

/** Adds what is missing, and says what is left over, by family, in the words of {@link wantedRules}. */
export async function addHostRules(
  context: NodeContext,
  slots: ReadonlyMap<number, SlotIdentity>,
): Promise<ReadonlyMap<Family, readonly string[]>> {
  const { families, signal } = context;
  const allLeftOver = new Map<Family, readonly string[]>();
  for (const family of families) {
    const { missing, leftOver } = compareRules(context, slots, await rulesAsync(undefined, family));
    await ipBatch(family, missing.map(asLine("add")).join("\n"), { signal });
    allLeftOver.set(family, leftOver);
  }
  return allLeftOver;
}

export async function deleteHostRules(
  { signal }: Pick<NodeContext, "signal">,
  leftOver: ReadonlyMap<Family, readonly string[]>,
): Promise<void> {
  for (const [family, rules] of leftOver) await ipBatch(family, rules.map(asLine("del")).join("\n"), { signal });
}

const asLine = (verb: "add" | "del") => (rule: string) => `rule ${verb} priority ${rule} protocol ${RTPROT_MILLRACE}`;

/** `routing`: all rules that were read, by family. */
export function hostRuleProblems(
  context: NodeContext,
  slots: ReadonlyMap<number, SlotIdentity>,
  routing: ReadonlyMap<Family, readonly Rule[]>,
): string[] {
  return context.families.flatMap((family) => {
    const { missing, leftOver } = compareRules(context, slots, routing.get(family) ?? []);
    return [
      ...missing.map((rule) => `IPv${family} ip rule ${rule} is missing`),
      ...leftOver.map((rule) => `IPv${family} ip rule ${rule} is left over`),
    ];
  });
}

function compareRules(context: NodeContext, slots: ReadonlyMap<number, SlotIdentity>, rules: readonly Rule[]) {
  const wanted = wantedRules(context, slots);
  const present = rules.filter(isOwn(context)).map(describe);
  return {
    missing: wanted.filter((rule) => !present.includes(rule)),
    leftOver: present.filter((rule, index) => !wanted.includes(rule) || present.indexOf(rule) !== index),
  };
}

const isOwn =
  ({ layout }: NodeContext) =>
  ({ protocol, priority }: Rule): boolean => {
    const { fromProxy, end } = layout.priorities;
    return protocol === RTPROT_MILLRACE && priority >= fromProxy && priority <= end;
  };

/** In the words of {@link wantedRules}. */
function describe({ priority, iif, fwmark, fwmask, table, goto, action }: Rule): string {
  const parts = [
    `${priority}`,
    iif !== undefined && `iif ${iif}`,
    fwmark !== undefined && `fwmark ${hex(fwmark)}/${hex(fwmask ?? ALL_BITS)}`,
    goto !== undefined && `goto ${goto}`,
    table !== 0 && `table ${table}`,
    action === "nop" && action,
  ];
  return parts.filter(Boolean).join(" ");
}

export async function removeHostRules(context: NodeContext): Promise<void> {
  for (const family of context.families) {
    const rules = (await rulesAsync(undefined, family)).filter(isOwn(context)).map(describe);
    const text = rules.map((rule) => `rule del priority ${rule} protocol ${RTPROT_MILLRACE}`).join("\n");
    await ipBatch(family, text, { signal: context.signal });
  }
}

/** Everything that our tables have to hold: `members` are addresses. */
export function wantedRoutes(
  { layout, families }: Pick<NodeContext, "layout" | "families">,
  slots: ReadonlyMap<number, SlotIdentity>,
  members: Iterable<string>,
  outbound = outboundTunnel({ layout }),
): RouteSpec[] {
  const { tables, gateways } = layout;
  const shared = families.flatMap((family) =>
    guarded(family, DEFAULT[family], tables.outbound, outbound, gateways[family]),
  );
  // The copies of packets for the node's own addresses look for their next hop in the main table (net/ipv6/netfilter/nf_dup_ipv6.c). IPv4
  // takes it for on-link where no route leads there (net/ipv4/route.c, ip_route_output_key_hash_rcu()).
  const onlink =
    outbound === undefined || !families.includes(6)
      ? []
      : [{ dst: `${gateways[6]}/128`, oif: outbound, protocol: RTPROT_MILLRACE, table: MAIN, metric: 1024 }];
  const direct = directRoutes({ layout, families }, slots);
  return [...shared, ...direct, ...onlink, ...memberRoutes({ layout }, members)];
}

/**
 * Straight to the proxies. Every slot's table drops, whether the slot is used or not: a rule leads there by the mark alone, and on from a
 * table that is empty.
 */
export function directRoutes(
  { layout, families }: Pick<NodeContext, "layout" | "families">,
  slots: ReadonlyMap<number, SlotIdentity>,
): RouteSpec[] {
  return Array.from({ length: MAX_SLOTS }, (_, slot) => {
    const { addresses = [], device = "" } = slots.get(slot) ?? {};
    return families.flatMap((family) => {
      const gateway = addresses.find((address) => familyOf(address) === family);
      const table = layout.tables.direct(slot);
      return guarded(family, DEFAULT[family], table, gateway && indexOf(device), gateway);
    });
  }).flat();
}

/** Routes that lead connections to members' addresses to the inbound tunnel, by its interface index. */
export function memberRoutes(
  { layout }: Pick<NodeContext, "layout">,
  addresses: Iterable<string>,
  inbound = inboundTunnel({ layout }),
): RouteSpec[] {
  const { tables, gateways } = layout;
  return [...addresses].flatMap((address) => {
    const family = familyOf(address);
    return guarded(family, `${address}/${LENGTH[family]}`, tables.inbound, inbound, gateways[family]);
  });
}

/** Its interface index; undefined where it is not there. */
export const inboundTunnel = ({ layout }: Pick<NodeContext, "layout">): number | undefined =>
  indexOf(layout.links.inbound);

export const outboundTunnel = ({ layout }: Pick<NodeContext, "layout">): number | undefined =>
  indexOf(layout.links.outbound);

/** A route, and behind it one that drops. */
function guarded(
  family: Family,
  dst: string,
  table: number,
  oif: number | undefined | "",
  gateway: string | undefined,
): RouteSpec[] {
  const guard = { dst, table, type: "blackhole", metric: LAST_METRIC, protocol: RTPROT_MILLRACE } as const;
  if (!oif || gateway === undefined) return [guard];
  const metric = family === 4 ? 0 : 1024;
  return [guard, { dst, table, oif, gateway, onlink: true, metric, protocol: RTPROT_MILLRACE }];
}

/** Adds what is missing and returns how many that were; what stands in the way of it goes first. */
export function ensureRoutes(wanted: readonly RouteSpec[], present: readonly Route[]): number {
  const missing = wanted.filter((spec) => !present.some((route) => isSame(route, spec)));
  for (const spec of missing) {
    const other = present.find((route) => occupies(route, spec));
    if (other) deleteRoute(undefined, other);
    addRoute(undefined, spec);
  }
  return missing.length;
}

/** Routes of our tables, whoever made them, and of the table main our own. Not of all tables: those of the node and its pods are many more. */
export function readRoutes({ layout, families }: Pick<NodeContext, "layout" | "families">): Route[] {
  return families.flatMap((family) => [
    ...layout.tables.all.flatMap((table) => routes(undefined, { family, table })),
    ...routes(undefined, { family, table: MAIN, protocol: RTPROT_MILLRACE }),
  ]);
}

/** Routes of ours on the node. */
export function ownRoutes({ layout, families }: Pick<NodeContext, "layout" | "families">): Route[] {
  return readRoutes({ layout, families }).filter(isOurs);
}

export const isOurs = ({ protocol }: Pick<Route, "protocol">): boolean => protocol === RTPROT_MILLRACE;

export function routeProblems(wanted: readonly RouteSpec[], present: readonly Route[]): string[] {
  return [
    ...wanted
      .filter((spec) => !present.some((route) => isSame(route, spec)))
      .map((spec) => `route ${show(spec)} is missing`),
    ...present
      .filter((route) => !wanted.some((spec) => isSame(route, spec)))
      .map((route) => `route ${show(route)} is left over`),
  ];
}

export const isSame = (route: Route, spec: RouteSpec): boolean =>
  occupies(route, spec) &&
  route.type === (spec.type ?? "unicast") &&
  route.gateway === spec.gateway &&
  (spec.oif === undefined || route.oif === spec.oif);

/** The kernel has one route for each destination and metric (IPv4), or keeps them apart (IPv6). */
const occupies = (route: Route, spec: RouteSpec): boolean =>
  route.dst === spec.dst && route.table === (spec.table ?? MAIN) && (route.metric ?? 0) === (spec.metric ?? 0);

const show = ({ dst, table, type, gateway }: Route | RouteSpec): string =>
  [type === "blackhole" && type, dst, gateway !== undefined && `via ${gateway}`, `table ${table}`]
    .filter(Boolean)
    .join(" ");

const indexOf = (name: string): number | undefined => link(undefined, name)?.index;
