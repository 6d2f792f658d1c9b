import { type Address, decodeAddress, RTM_DELADDR, RTM_NEWADDR } from "./addresses.ts";
import { decodeLink, type Link, RTM_DELLINK, RTM_NEWLINK } from "./links.ts";
import type { Message } from "./messages.ts";
import { type MonitorOptions, NetlinkMonitor } from "./netlink-monitor.ts";
import { NETLINK_ROUTE } from "./request.ts";
import { decodeRoute, type Route, RTM_DELROUTE, RTM_NEWROUTE } from "./routes.ts";
import { decodeRule, type Rule } from "./rule-codec.ts";
import { RTM_DELRULE, RTM_NEWRULE } from "./rules.ts";
import {
  decodeQdisc,
  decodeTcFilter,
  placeOf,
  type Qdisc,
  RTM_DELQDISC,
  RTM_DELTFILTER,
  RTM_NEWQDISC,
  RTM_NEWTFILTER,
  type TcFilter,
  type TcFilterPlace,
} from "./tc-filters.ts";

/** RTNLGRP_* (include/uapi/linux/rtnetlink.h) of each group's name. */
const groupNumbers = {
  link: [1],
  tc: [4],
  "ipv4-address": [5],
  "ipv6-address": [9],
  route: [7, 11],
  rule: [8, 19],
} as const;
export type MonitorGroup = keyof typeof groupNumbers;

/** `set`: the object exists and is as told, whether new or changed (the kernel does not say which). `removed`: as it last was. */
export type RtChange = "set" | "removed";

export type RtEvent =
  | { type: "link"; change: RtChange; link: Link }
  | { type: "address"; change: RtChange; address: Address }
  | { type: "route"; change: RtChange; route: Route }
  | { type: "rule"; change: RtChange; rule: Rule }
  | { type: "qdisc"; change: RtChange; qdisc: Qdisc }
  /** Without a filter: all of one priority. */
  | { type: "filter"; change: RtChange; place: TcFilterPlace; filter?: TcFilter };

export interface RtnetlinkMonitorOptions extends MonitorOptions<RtEvent> {
  groups: readonly MonitorGroup[];
}

/** Changes of links, addresses, routes, rules, qdiscs and tc filters in one network namespace, as they happen: see {@link NetlinkMonitor}. */
export type RtnetlinkMonitor = NetlinkMonitor;
export const RtnetlinkMonitor = {
  /** Throws `EPERM` and the other errors of setns(2) and socket(2). */
  open(options: RtnetlinkMonitorOptions): RtnetlinkMonitor {
    const groups = options.groups.flatMap((group) => [...groupNumbers[group]]);
    return NetlinkMonitor.open({ name: "rtnetlink", protocol: NETLINK_ROUTE, groups, decode: decodeEvent }, options);
  },
};

/** Undefined for kinds and families of messages that this package has no type for. */
export function decodeEvent({ type, payload }: Message): RtEvent | undefined {
  switch (type) {
    case RTM_NEWLINK:
    case RTM_DELLINK: {
      const link = decodeLink(payload);
      return link && { type: "link", change: type === RTM_NEWLINK ? "set" : "removed", link };
    }
    case RTM_NEWADDR:
    case RTM_DELADDR: {
      const address = decodeAddress(payload);
      return address && { type: "address", change: type === RTM_NEWADDR ? "set" : "removed", address };
    }
    case RTM_NEWROUTE:
    case RTM_DELROUTE: {
      const route = decodeRoute(payload);
      return route && { type: "route", change: type === RTM_NEWROUTE ? "set" : "removed", route };
    }
    case RTM_NEWRULE:
    case RTM_DELRULE: {
      const rule = decodeRule(payload);
      return rule && { type: "rule", change: type === RTM_NEWRULE ? "set" : "removed", rule };
    }
    case RTM_NEWQDISC:
    case RTM_DELQDISC:
      return { type: "qdisc", change: type === RTM_NEWQDISC ? "set" : "removed", qdisc: decodeQdisc(payload) };
    case RTM_NEWTFILTER:
    case RTM_DELTFILTER: {
      const filter = decodeTcFilter(payload);
      const change = type === RTM_NEWTFILTER ? "set" : "removed";
      return { type: "filter", change, place: placeOf(payload), ...(filter && { filter }) };
    }
    default:
      return undefined;
  }
}
