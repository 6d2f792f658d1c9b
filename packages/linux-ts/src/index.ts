// Network namespaces

export { type Address, type AddressSpec, addAddress, addresses } from "./addresses.ts";
// Reading and changing what a namespace holds
export { deleteClsact, hasClsact, hasClsactAsync } from "./clsact-qdisc.ts";
export {
  type ConntrackEntry,
  type ConntrackFilter,
  type ConntrackTuple,
  conntrackEntries,
  deleteConntrack,
  markConntrack,
} from "./conntrack.ts";
// Time
export { cpuTimeMs } from "./cpu-time.ts";
// Errors
export { errnoName, errorCodes, LinuxError, type LinuxErrorDetails } from "./errors.ts";
// Addresses as text and bytes
export { type Family, formatAddress, formatPrefix, type Prefix, parseAddress, parsePrefix } from "./ip-address.ts";
export { ipSets } from "./ip-sets.ts";
export { type Link, link, linkAsync, links, setLinkUp } from "./links.ts";
export { tryLockDirectory, tryLockFile } from "./lock-file.ts";
export { formatMac, parseMac } from "./mac-address.ts";
// Following changes
export {
  type MonitorGroup,
  type RtChange,
  type RtEvent,
  RtnetlinkMonitor,
  type RtnetlinkMonitorOptions,
} from "./monitor.ts";
export { deleteNeighbour, type Neighbour, type NeighbourState, neighbours, neighboursAsync } from "./neighbours.ts";
export type { MonitorOptions, NetlinkMonitor } from "./netlink-monitor.ts";
export { currentNetns, Netns, type NetnsFd, openNetns, openNetnsIfThere } from "./netns.ts";
export { type NetnsIdOptions, netnsId } from "./netns-id.ts";
export type { NextHop } from "./next-hops.ts";
export { type NftChain, nftChains } from "./nft-chains.ts";
export { nftTables } from "./nft-tables.ts";
export { NftablesMonitor, type NftEvent } from "./nftables-monitor.ts";
// What interfaces send and receive
export {
  MAX_SNAP_LENGTH,
  MIN_SNAP_LENGTH,
  type Packet,
  type PacketPath,
  PacketSocket,
  type PacketSocketOptions,
} from "./packet-socket.ts";
// Sockets and files
export { type PeerCredentials, peerCredentials } from "./peer-credentials.ts";
export { renameExchange } from "./rename-exchange.ts";
export { addRoute, deleteRoute, type Route, type RouteSpec, type RouteType, routes, routeTables } from "./routes.ts";
export type { Range, Rule, RuleAction, RuleSpec } from "./rule-codec.ts";
export { addRule, deleteRule, rules, rulesAsync } from "./rules.ts";
export type { Scope } from "./scope.ts";
export { readSysctl, writeSysctl } from "./sysctl.ts";
export {
  clsactLinks,
  type Direction,
  type Qdisc,
  type TcFilter,
  type TcFilterPlace,
  type TcPlace,
  tcFilters,
  tcFiltersAsync,
} from "./tc-filters.ts";
export { type TcpSocket, type TcpState, tcpSockets } from "./tcp-sockets.ts";
export type { Tunnel } from "./tunnels.ts";
