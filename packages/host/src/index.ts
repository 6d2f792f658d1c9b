// What this process may do

// What every backend may use, from where its authors have it
export {
  ensureRouting,
  HOST_ERRORS,
  HostError,
  type HostErrorCode,
  hasIpv6,
  isGone,
  KeyedMutex,
  type LocalRouting,
  looseReversePath,
  type NetnsHandle,
  nftTableTraces,
  noForwarding,
  type OpenConnection,
  openConnections,
  ownArpOnly,
  type RoutingPlace,
  RTPROT_MILLRACE,
  removeRouting,
  requireHostLink,
  requireHostLinkAsync,
  requireNetns,
  routingProblems,
  type SysctlChange,
  SysctlJournal,
} from "@millrace/core/host";
export {
  currentBootId,
  DIES_WITH_US,
  readAll,
  removeDurably,
  removeEmpty,
  removeUnfinished,
  writeDurably,
} from "@millrace/core/internal";
export { type Capability, hasCapability } from "./capabilities.ts";
// Why a packet goes where it goes
export { Explaining, isListening } from "./explaining.ts";
// What a backend does by way of files and programs
export {
  type HostAccess,
  type HostNetns,
  hostAccess,
  type ProgramEnd,
  type ProgramInput,
} from "./host-access.ts";
// What the kernel was built with
export { kernelHas } from "./kernel-module.ts";
export { Mutex } from "./mutex.ts";
// Interfaces and network namespaces
export { findNetns, findNetnsById } from "./netns-lookup.ts";
export { heldBy, untilReleased } from "./released.ts";
// What carries our marks
export { describeRoute, describeRule, removeRoutingTraces, routingTraces } from "./routing-traces.ts";
export { ownSourcePorts } from "./source-ports.ts";
export { type SysctlNote, sysctlNotes } from "./sysctl-notes.ts";
// What the node translates
export { type Translated, translatedConnections } from "./translated.ts";
// Which sysctls a backend may write
export { type WrittenSysctl, writtenSysctls } from "./written-sysctls.ts";
