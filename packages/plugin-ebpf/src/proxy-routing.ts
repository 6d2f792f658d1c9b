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
import type { EbpfConfig } from "./config.ts";
import { EbpfError } from "./errors.ts";
import { hasIpv6 } from "./proxy-sysctls.ts";
import type { NetnsHandle } from "./sysctl-journal.ts";

/**
 * Marks our rules and routes in the kernel's `protocol` field, so that they are told from others' (include/uapi/linux/rtnetlink.h:
 * values above RTPROT_STATIC are not interpreted by the kernel). 77 is in neither that list nor iproute2's rt_protos.
 */
export const RTPROT_MILLRACE = 77;

const FAMILIES: readonly Family[] = [4, 6];
const DEFAULT_ROUTE = { 4: "0.0.0.0/0", 6: "::/0" } as const;

/** Where policy routing goes: the proxy's namespace and the name of its interface. */
export interface RoutingPlace {
  readonly netns: NetnsHandle & { readonly fd: number };
  readonly ifName: string;
}

/**
 * Makes every packet that comes in at the proxy's interface local to it: `ip rule iif eth0 lookup T`, `ip route local default dev lo
 * table T`, in both families as far as the interface has them. In the proxy's namespace only.
 *
 * Throws `ERR_FOREIGN_OBJECT` when the rule's priority or the table is used by somebody else.
 */
export function ensureRouting(place: RoutingPlace, { table, priority }: EbpfConfig["routing"]): void {
  for (const family of familiesOf(place)) {
    const { rule, route, foreign } = inspectFamily(place, family, { table, priority });
    if (foreign.length > 0) {
      throw new EbpfError(
        "ERR_FOREIGN_OBJECT",
        `the proxy's network namespace has something else where our routing goes: ${foreign.join("; ")}. It is left alone; ` +
          "set routing.table and routing.priority to values that nobody uses",
      );
    }
    // The route first: a rule that leads to an empty table goes on to the next rule, and packets would leave by the main table.
    if (!route) addRoute(place.netns.fd, routeSpec(place, family, table));
    if (!rule) addRule(place.netns.fd, ruleSpec(place, family, table, priority));
  }
}

export function removeRouting({ netns }: RoutingPlace): void {
  for (const family of FAMILIES) {
    for (const rule of rules(netns.fd, family).filter(isOurs)) deleteRule(netns.fd, rule);
    for (const route of routes(netns.fd, { family }).filter(isOurs)) deleteRoute(netns.fd, route);
  }
}

/** What is missing or in the way, in short phrases. */
export function routingProblems(place: RoutingPlace, routing: EbpfConfig["routing"]): string[] {
  return familiesOf(place).flatMap((family) => {
    const { rule, route, foreign } = inspectFamily(place, family, routing);
    return [
      ...(rule ? [] : [`IPv${family} rule ${routing.priority} is missing`]),
      ...(route ? [] : [`IPv${family} local route in table ${routing.table} is missing`]),
      ...foreign.map((what) => `foreign ${what}`),
    ];
  });
}

function inspectFamily({ netns, ifName }: RoutingPlace, family: Family, { table, priority }: EbpfConfig["routing"]) {
  const sameRule = (rule: Rule) =>
    isOurs(rule) && rule.priority === priority && rule.table === table && rule.iif === ifName;
  const sameRoute = (route: Route) => isOurs(route) && route.type === "local" && route.dst === DEFAULT_ROUTE[family];
  const atPriority = rules(netns.fd, family).filter((rule) => rule.priority === priority);
  const inTable = routes(netns.fd, { family, table });
  return {
    rule: atPriority.find(sameRule),
    route: inTable.find(sameRoute),
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

function familiesOf({ netns, ifName }: RoutingPlace): Family[] {
  return hasIpv6(netns, ifName) ? [4, 6] : [4];
}

function ruleSpec({ ifName }: RoutingPlace, family: Family, table: number, priority: number) {
  return { family, priority, table, iif: ifName, protocol: RTPROT_MILLRACE };
}

function routeSpec({ netns }: RoutingPlace, family: Family, table: number) {
  const loopback = links(netns.fd).find(({ name }) => name === "lo");
  if (!loopback) throw new EbpfError("ERR_INTERFACE_GONE", "the proxy's network namespace has no loopback interface");
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
