import { Attributes, littleEndian, PayloadWriter, structOf } from "./attributes.ts";
import { LinuxError } from "./errors.ts";
import {
  addressFamily,
  type Family,
  familyOf,
  formatAddress,
  formatPrefix,
  parseAddress,
  parsePrefix,
} from "./ip-address.ts";
import { NLM_F_CREATE, NLM_F_EXCL } from "./messages.ts";
import type { NetnsFd } from "./netns.ts";
import { decodeNextHops, type NextHop } from "./next-hops.ts";
import { dump, request } from "./request.ts";
import { type Scope, scopeNumber, scopeOf } from "./scope.ts";

/** include/uapi/linux/rtnetlink.h. */
export const RTM_NEWROUTE = 24;
export const RTM_DELROUTE = 25;
const RTM_GETROUTE = 26;

/** enum rtattr_type_t (rtnetlink.h). */
const RTA_DST = 1;
const RTA_OIF = 4;
const RTA_GATEWAY = 5;
const RTA_PRIORITY = 6;
const RTA_PREFSRC = 7;
const RTA_MULTIPATH = 9;
const RTA_TABLE = 15;
const RTA_VIA = 18;
const RTA_NH_ID = 30;

/** RTNH_F_ONLINK (rtnetlink.h). */
const RTNH_F_ONLINK = 4;

/** RTN_* (rtnetlink.h), by number. */
const routeTypes = [
  "unspec",
  "unicast",
  "local",
  "broadcast",
  "anycast",
  "multicast",
  "blackhole",
  "unreachable",
  "prohibit",
  "throw",
  "nat",
  "xresolve",
] as const;
export type RouteType = (typeof routeTypes)[number];

/** enum rt_class_t (rtnetlink.h): the tables that every namespace has. */
export const routeTables = { default: 253, main: 254, local: 255 } as const;
/** RTPROT_STATIC (rtnetlink.h): set by an administrator or his program. */
const RTPROT_STATIC = 4;
/** IP6_RT_PRIO_USER (include/uapi/linux/ipv6_route.h): what an IPv6 route without a metric gets. */
const IP6_RT_PRIO_USER = 1024;

/** struct rtmsg (rtnetlink.h): u8 family, dst_len, src_len, tos, table, protocol, scope, type; u32 flags. */
const rtmsgLength = 12;

export interface Route {
  family: Family;
  /** With the length: `198.18.0.11/32`; the default route is `0.0.0.0/0` or `::/0`. */
  dst: string;
  table: number;
  type: RouteType;
  scope: Scope;
  /** Who made it: RTPROT_* (2 kernel, 3 boot, 4 static, …). */
  protocol: number;
  oif?: number;
  /** May be of the other family: an IPv4 route through an IPv6 neighbour. */
  gateway?: string;
  /** The source address that local sockets get (`src` in ip-route(8)). */
  preferredSource?: string;
  /** Absent is 0. */
  metric?: number;
  onlink?: boolean;
  /** For a route with several ways; oif and gateway are absent then. */
  nextHops?: NextHop[];
  nextHopId?: number;
}

/** What to add, or what exactly to delete. */
export interface RouteSpec {
  /** With or without a length; decides the family. */
  dst: string;
  /** Default 254, main. */
  table?: number;
  /** Default `unicast`. */
  type?: RouteType;
  /** Default as in ip-route(8): `host` for local, `link` for directly connected and broadcast, else `global`. IPv6 has none. */
  scope?: Scope;
  /** Default 4, static. */
  protocol?: number;
  oif?: number;
  gateway?: string;
  preferredSource?: string;
  /** Default 0 for IPv4 and 1024 for IPv6, as the kernel has it. */
  metric?: number;
  onlink?: boolean;
}

/** Undefined for families other than IPv4 and IPv6. */
export function decodeRoute(payload: Uint8Array): Route | undefined {
  const header = structOf(payload, rtmsgLength, "rtmsg");
  const family = familyOf(header.getUint8(0));
  if (family === undefined) return undefined;
  const attributes = Attributes.parse(payload.subarray(rtmsgLength));
  const type = header.getUint8(7);
  const oif = attributes.u32(RTA_OIF);
  const gateway = gatewayOf(attributes);
  const preferredSource = attributes.bytes(RTA_PREFSRC);
  const metric = attributes.u32(RTA_PRIORITY);
  const multipath = attributes.bytes(RTA_MULTIPATH);
  const nextHopId = attributes.u32(RTA_NH_ID);
  return {
    family,
    dst: formatPrefix(family, attributes.bytes(RTA_DST), header.getUint8(1)),
    // The header's field has one byte; the attribute is the truth.
    table: attributes.u32(RTA_TABLE) ?? header.getUint8(4),
    type: routeTypes[type] ?? "unspec",
    scope: scopeOf(header.getUint8(6)),
    protocol: header.getUint8(5),
    ...(oif === undefined ? {} : { oif }),
    ...(gateway === undefined ? {} : { gateway }),
    ...(preferredSource === undefined ? {} : { preferredSource: formatAddress(preferredSource) }),
    ...(metric === undefined ? {} : { metric }),
    ...((header.getUint32(8, littleEndian) & RTNH_F_ONLINK) === 0 ? {} : { onlink: true }),
    ...(multipath === undefined ? {} : { nextHops: decodeNextHops(multipath, gatewayOf) }),
    ...(nextHopId === undefined ? {} : { nextHopId }),
  };
}

/** RTA_VIA is struct rtvia: u16 family, then the address. */
function gatewayOf(attributes: Attributes): string | undefined {
  const bytes = attributes.bytes(RTA_GATEWAY) ?? attributes.bytes(RTA_VIA)?.subarray(2);
  return bytes === undefined ? undefined : formatAddress(bytes);
}

export interface RouteFilter {
  table?: number;
  family?: Family;
  /** Whoever made them (`RTPROT_*`). */
  protocol?: number;
}

/**
 * All routes of the netns, or those of one table, family or protocol, in the kernel's order. A table that does not exist has no routes. The kernel itself
 * leaves the others out (NETLINK_GET_STRICT_CHK, Linux 4.20).
 */
export function routes(netns?: NetnsFd, filter: RouteFilter = {}): Route[] {
  const { table, protocol } = filter;
  const families: Family[] = filter.family === undefined ? [4, 6] : [filter.family];
  return families
    .flatMap((family) => dumpRoutes(netns, family, filter))
    .filter((route) => table === undefined || route.table === table)
    .filter((route) => protocol === undefined || route.protocol === protocol);
}

function dumpRoutes(netns: NetnsFd, family: Family, { table, protocol = 0 }: RouteFilter): Route[] {
  const payload = new PayloadWriter().struct(rtmsgLength, (view) => {
    view.setUint8(0, addressFamily[family]);
    view.setUint8(5, protocol);
  });
  if (table !== undefined) payload.u32(RTA_TABLE, table);
  try {
    return dump({
      netns,
      doing: `listing IPv${family} routes`,
      type: RTM_GETROUTE,
      name: "RTM_GETROUTE",
      payload: payload.finish(),
    })
      .filter((message) => message.type === RTM_NEWROUTE)
      .map((message) => decodeRoute(message.payload))
      .filter((route) => route !== undefined)
      .filter((route) => route.family === family);
  } catch (error) {
    // "FIB table does not exist" (inet_dump_fib in net/ipv4/fib_frontend.c, inet6_dump_fib in net/ipv6/ip6_fib.c).
    if (table !== undefined && error instanceof LinuxError && error.code === "ENOENT") return [];
    throw error;
  }
}

/** Throws `EEXIST` when there is such a route already; `ENODEV`, `ENETDOWN`, `ENETUNREACH`, … as ip-route(8) does. */
export function addRoute(netns: NetnsFd, spec: RouteSpec): void {
  const flags = NLM_F_CREATE | NLM_F_EXCL;
  const doing = `adding ${describe(spec)}`;
  request({ netns, doing, type: RTM_NEWROUTE, name: "RTM_NEWROUTE", flags, payload: encodeRoute(spec) });
}

/**
 * Deletes the route that addRoute() with the same spec makes. Throws `ESRCH` when there is none. IPv4 compares everything given here;
 * IPv6 does not compare type and preferred source (ip6_route_del, net/ipv6/route.c).
 */
export function deleteRoute(netns: NetnsFd, spec: RouteSpec): void {
  const doing = `deleting ${describe(spec)}`;
  request({ netns, doing, type: RTM_DELROUTE, name: "RTM_DELROUTE", payload: encodeRoute(spec) });
}

function describe({ dst, table = routeTables.main, type = "unicast" }: RouteSpec): string {
  return `the ${type} route ${dst} in table ${table}`;
}

function encodeRoute(spec: RouteSpec): Uint8Array {
  const prefix = parsePrefix(spec.dst);
  const { table = routeTables.main, type = "unicast", protocol = RTPROT_STATIC } = spec;
  const metric = spec.metric ?? (prefix.family === 6 ? IP6_RT_PRIO_USER : undefined);
  const writer = new PayloadWriter().struct(rtmsgLength, (view) => {
    view.setUint8(0, addressFamily[prefix.family]);
    view.setUint8(1, prefix.length);
    // RT_TABLE_UNSPEC where the number does not fit: RTA_TABLE has it.
    view.setUint8(4, table < 256 ? table : 0);
    view.setUint8(5, protocol);
    view.setUint8(6, scopeNumber(spec.scope ?? defaultScope(prefix.family, type, spec.gateway)));
    view.setUint8(7, routeTypes.indexOf(type));
    view.setUint32(8, spec.onlink === true ? RTNH_F_ONLINK : 0, littleEndian);
  });
  writer.u32(RTA_TABLE, table);
  if (prefix.length > 0) writer.attribute(RTA_DST, prefix.bytes);
  if (spec.oif !== undefined) writer.u32(RTA_OIF, spec.oif);
  if (spec.gateway !== undefined) writeGateway(writer, prefix.bytes.length, parseAddress(spec.gateway));
  if (spec.preferredSource !== undefined) writer.attribute(RTA_PREFSRC, parseAddress(spec.preferredSource));
  if (metric !== undefined) writer.u32(RTA_PRIORITY, metric);
  return writer.finish();
}

function writeGateway(writer: PayloadWriter, ownLength: number, gateway: Uint8Array): void {
  if (gateway.length === ownLength) {
    writer.attribute(RTA_GATEWAY, gateway);
    return;
  }
  const via = new Uint8Array(2 + gateway.length);
  new DataView(via.buffer).setUint16(0, addressFamily[gateway.length === 4 ? 4 : 6], littleEndian);
  via.set(gateway, 2);
  writer.attribute(RTA_VIA, via);
}

function defaultScope(family: Family, type: RouteType, gateway: string | undefined): Scope {
  if (family === 6) return "global";
  if (type === "local" || type === "nat") return "host";
  if (type === "broadcast" || type === "multicast" || type === "anycast") return "link";
  return type === "unicast" && gateway === undefined ? "link" : "global";
}
