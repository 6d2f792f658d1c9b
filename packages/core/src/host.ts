// What a backend does on a host beside its own objects. It needs Linux, and the addon of linux-ts. A change here is one of the public API: see `index.ts`.

// What a network namespace has
export { type Link, links, type Netns, openNetnsIfThere } from "linux-ts";
// Errors
export { HOST_ERRORS, HostError, type HostErrorCode } from "./host/errors.ts";
export { KeyedMutex } from "./host/keyed-mutex.ts";
// Policy routing
export {
  ensureRouting,
  type LocalRouting,
  type RoutingPlace,
  RTPROT_MILLRACE,
  removeRouting,
  routingProblems,
} from "./host/local-routing.ts";
// nftables
export type { NftChain } from "./host/nft-chain.ts";
export type { NftConnections } from "./host/nft-connections.ts";
export type { NftElement, NftHeldChain, NftReading } from "./host/nft-reading.ts";
export { NftTable } from "./host/nft-table.ts";
export { nftTableTraces } from "./host/nft-traces.ts";
export { type NftPlace, nftRefusal, nftTransaction } from "./host/nft-transaction.ts";
// TCP sockets
export { type OpenConnection, openConnections } from "./host/open-connections.ts";
// Pods' interfaces and network namespaces
export { bridgeOf, isGone, requireHostLink, requireHostLinkAsync, requireNetns } from "./host/pod-interface.ts";
// Sysctls of a proxy, and of its interface on the node
export { hasIpv6, looseReversePath, noForwarding, ownArpOnly } from "./host/proxy-sysctls.ts";
// Programs
export { type ProgramOptions, runProgram } from "./host/run-program.ts";
// Sysctls, and what stood there before
export { type NetnsHandle, type SysctlChange, SysctlJournal } from "./host/sysctl-journal.ts";
// Verbs
export { VerbQueue, type WorkloadChanges } from "./host/verb-queue.ts";
