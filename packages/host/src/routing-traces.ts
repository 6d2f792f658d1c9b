import type { NamespacePlace, Trace } from "@millrace/core";
import { RTPROT_MILLRACE } from "@millrace/core/host";
import { deleteRoute, deleteRule, type Family, type Route, type Rule, routes, rules } from "linux-ts";

const FAMILIES: readonly Family[] = [4, 6];
const isOurs = ({ protocol }: Rule | Route): boolean => protocol === RTPROT_MILLRACE;
const MARK = `protocol ${RTPROT_MILLRACE}`;

/** Rules and routes of every backend in a namespace, told by their protocol, whatever tables and priorities are configured now. */
export function routingTraces({ fd, name: where }: NamespacePlace): Trace[] {
  return FAMILIES.flatMap((family) => [
    ...rules(fd, family)
      .filter(isOurs)
      .map((rule) => ({ kind: `IPv${family} rule`, where, what: describeRule(rule), mark: MARK })),
    ...routes(fd, { family })
      .filter(isOurs)
      .map((route) => ({ kind: `IPv${family} route`, where, what: describeRoute(route), mark: MARK })),
  ]);
}

/** Removes them; what is gone by itself meanwhile is no hindrance. Returns what was removed, as {@link routingTraces} tells it. */
export function removeRoutingTraces(place: NamespacePlace): Trace[] {
  const found = routingTraces(place);
  for (const family of FAMILIES) {
    for (const rule of rules(place.fd, family).filter(isOurs)) deleteRule(place.fd, rule);
    for (const route of routes(place.fd, { family }).filter(isOurs)) deleteRoute(place.fd, route);
  }
  return found;
}

/** As ip-rule(8) shows it. */
export function describeRule({ priority, iif, fwmark, fwmask, action, table }: Rule): string {
  const hex = (value: number) => `0x${value.toString(16)}`;
  return [
    `${priority}:`,
    iif !== undefined && `iif ${iif}`,
    fwmark !== undefined && `fwmark ${hex(fwmark)}${fwmask === undefined ? "" : `/${hex(fwmask)}`}`,
    `${action} ${table}`,
  ]
    .filter(Boolean)
    .join(" ");
}

/** As ip-route(8) shows it. */
export const describeRoute = ({ type, dst, gateway, table }: Route): string =>
  [type !== "unicast" && type, dst, gateway !== undefined && `via ${gateway}`, `table ${table}`]
    .filter(Boolean)
    .join(" ");
