import {
  addRoute,
  addRule,
  deleteRoute,
  deleteRule,
  type Family,
  links,
  type Route,
  type Rule,
  routes,
  rules,
} from "linux-ts";
import { HostError } from "./errors.ts";
import { hasIpv6 } from "./proxy-sysctls.ts";
import type { NetnsHandle } from "./sysctl-journal.ts";

/**
 * Marks our rules and routes in the kernel's `protocol` field, so that they are told from others' (include/uapi/linux/rtnetlink.h:
 * values above RTPROT_STATIC are not interpreted by the kernel). 77 is in neither that list nor iproute2's rt_protos.
 */
export const RTPROT_MILLRACE = 77;

const FAMILIES: readonly Family[] = [4, 6];
const DEFAULT_ROUTE = { 4: "0.0.0.0/0", 6: "::/0" } as const;

/** Where policy routing goes: the proxy's namespace and the names of the interfaces that redirected packets come in by. */
export interface RoutingPlace {
  readonly netns: NetnsHandle & { readonly fd: number };
  readonly ifNames: readonly string[];
}

/** The routing table and the priority of the rules to it: each backend has its own, because two may serve one proxy at once. */
export interface LocalRouting {
  readonly table: number;
  readonly priority: number;
}

/**
 * Makes every packet that comes in at these interfaces local to the namespace: `ip rule iif eth0 lookup T` for each, `ip route local
 * default dev lo table T`, in both families as far as the interfaces have them.
 *
 * Throws `ERR_FOREIGN_OBJECT` when the rules' priority or the table is used by somebody else.
 */
export function ensureRouting(place: RoutingPlace, routing: LocalRouting): void {
  for (const family of familiesOf(place)) {
    const { missing, route, stale, foreign } = inspectFamily(place, family, routing);
    if (foreign.length > 0) {
      throw new HostError(
        "ERR_FOREIGN_OBJECT",
        `the proxy's network namespace has something else where our routing goes: ${foreign.join("; ")}. It is left alone; ` +
          "set the backend's routing table and rule priority to values that nobody uses",
      );
    }
    // The route first: a rule that leads to an empty table goes on to the next rule, and packets would leave by the main table. One that was changed
    // may stand where it goes.
    for (const other of stale.routes) deleteRoute(place.netns.fd, other);
    if (!route) addRoute(place.netns.fd, routeSpec(place, family, routing.table));
    for (const iif of missing) addRule(place.netns.fd, { family, ...routing, iif, protocol: RTPROT_MILLRACE });
    for (const other of stale.rules) deleteRule(place.netns.fd, other);
  }
}

/** Removes what {@link ensureRouting} made with this table, and no other backend's. */
export function removeRouting(netns: RoutingPlace["netns"], { table }: LocalRouting): void {
  for (const family of FAMILIES) {
    const ours = ({ protocol, table: its }: Rule | Route) => protocol === RTPROT_MILLRACE && its === table;
    for (const rule of rules(netns.fd, family).filter(ours)) deleteRule(netns.fd, rule);
    for (const route of routes(netns.fd, { family, table }).filter(ours)) deleteRoute(netns.fd, route);
  }
}

/** What is missing or in the way, in short phrases. */
export function routingProblems(place: RoutingPlace, routing: LocalRouting): string[] {
  return familiesOf(place).flatMap((family) => {
    const { missing, route, stale, foreign } = inspectFamily(place, family, routing);
    return [
      ...missing.map((iif) => `IPv${family} rule ${routing.priority} of ${iif} is missing`),
      ...(route ? [] : [`IPv${family} local route in table ${routing.table} is missing`]),
      ...stale.rules.map((rule) => `IPv${family} rule ${rule.priority} (${describeRule(rule)}) is left over`),
      ...stale.routes.map(({ type, dst, table }) => `IPv${family} route ${type} ${dst} in table ${table} is left over`),
      ...foreign.map((what) => `foreign ${what}`),
    ];
  });
}

function inspectFamily({ netns, ifNames }: RoutingPlace, family: Family, { table, priority }: LocalRouting) {
  const atPriority = rules(netns.fd, family).filter((rule) => rule.priority === priority);
  const ours = atPriority.filter(isOurs);
  const inTable = routes(netns.fd, { family, table });
  const isWanted = (rule: Rule) => rule.table === table && ifNames.some((name) => name === rule.iif) && isPlain(rule);
  const isLocalDefault = ({ type, dst }: Route) => type === "local" && dst === DEFAULT_ROUTE[family];
  return {
    missing: ifNames.filter((ifName) => !ours.some((rule) => isWanted(rule) && rule.iif === ifName)),
    route: inTable.find((route) => isOurs(route) && isLocalDefault(route)),
    /** With our protocol, and as nobody of ours makes them: somebody has changed them. */
    stale: {
      rules: ours.filter((rule) => !isWanted(rule)),
      routes: inTable.filter((route) => isOurs(route) && !isLocalDefault(route)),
    },
    foreign: [
      ...atPriority
        .filter((rule) => !isOurs(rule))
        .map((rule) => `IPv${family} rule ${priority} (${describeRule(rule)})`),
      ...inTable
        .filter((route) => !isOurs(route))
        .map((route) => `IPv${family} route ${route.type} ${route.dst} in table ${table}`),
    ],
  };
}

/** What a rule of ours has; with anything else it would be about fewer packets. */
const PLAIN = new Set(["priority", "family", "action", "table", "iif", "protocol", "unknown"]);
const isPlain = (rule: Rule): boolean =>
  rule.action === "lookup" && Object.keys(rule).every((attribute) => PLAIN.has(attribute));

function familiesOf({ netns, ifNames }: RoutingPlace): Family[] {
  return ifNames.some((ifName) => hasIpv6(netns, ifName)) ? [4, 6] : [4];
}

function routeSpec({ netns }: RoutingPlace, family: Family, table: number) {
  const loopback = links(netns.fd).find(({ name }) => name === "lo");
  if (!loopback) throw new HostError("ERR_INTERFACE_GONE", "the proxy's network namespace has no loopback interface");
  return { dst: DEFAULT_ROUTE[family], table, type: "local" as const, oif: loopback.index, protocol: RTPROT_MILLRACE };
}

function isOurs({ protocol }: { readonly protocol: number }): boolean {
  return protocol === RTPROT_MILLRACE;
}

function describeRule(rule: Rule): string {
  const parts = [
    rule.iif && `iif ${rule.iif}`,
    rule.fwmark !== undefined && `fwmark 0x${rule.fwmark.toString(16)}`,
    `${rule.action} ${rule.table}`,
  ];
  return parts.filter(Boolean).join(" ");
}
