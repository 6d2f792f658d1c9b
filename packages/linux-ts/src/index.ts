// Network namespaces

export { type Address, addresses } from "./addresses.ts";
// Reading and changing what a namespace holds
export { deleteClsact, hasClsact } from "./clsact-qdisc.ts";
export {
  type ConntrackEntry,
  type ConntrackFilter,
  type ConntrackTuple,
  conntrackEntries,
  deleteConntrack,
  markConntrack,
} from "./conntrack.ts";
// Errors
export { errnoName, errorCodes, LinuxError, type LinuxErrorDetails } from "./errors.ts";
// Addresses as text and bytes
export { type Family, formatAddress, formatPrefix, type Prefix, parseAddress, parsePrefix } from "./ip-address.ts";
export { type Link, link, links } from "./links.ts";
export { tryLockFile } from "./lock-file.ts";
export { formatMac, parseMac } from "./mac-address.ts";
// Following changes
export {
  type MonitorGroup,
  type RtChange,
  type RtEvent,
  RtnetlinkMonitor,
  type RtnetlinkMonitorOptions,
} from "./monitor.ts";
export { currentNetns, Netns, type NetnsFd, openNetns } from "./netns.ts";
export { type NetnsIdOptions, netnsId } from "./netns-id.ts";
export type { NextHop } from "./next-hops.ts";
export { nftTables } from "./nft-tables.ts";
// Sockets and files
export { type PeerCredentials, peerCredentials } from "./peer-credentials.ts";
export { renameExchange } from "./rename-exchange.ts";
export { addRoute, deleteRoute, type Route, type RouteSpec, type RouteType, routes, routeTables } from "./routes.ts";
export type { Range, Rule, RuleAction, RuleSpec } from "./rule-codec.ts";
export { addRule, deleteRule, rules } from "./rules.ts";
export type { Scope } from "./scope.ts";
export { readSysctl, writeSysctl } from "./sysctl.ts";
export { type Direction, type TcFilter, type TcPlace, tcFilters } from "./tc-filters.ts";
export { type TcpSocket, type TcpState, tcpSockets } from "./tcp-sockets.ts";
