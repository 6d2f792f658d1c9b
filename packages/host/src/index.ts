// What this process may do
export { type Capability, hasCapability } from "./capabilities.ts";
// Errors
export { HOST_ERRORS, HostError, type HostErrorCode } from "./errors.ts";
// Files that survive a power cut
export { readAll, removeDurably, removeUnfinished, writeDurably } from "./journal-file.ts";
// What the kernel was built with
export { kernelHas } from "./kernel-module.ts";
// Policy routing in a proxy's namespace
export {
  ensureRouting,
  type LocalRouting,
  type RoutingPlace,
  RTPROT_MILLRACE,
  removeRouting,
  routingProblems,
} from "./local-routing.ts";
export { Mutex } from "./mutex.ts";
// Interfaces and network namespaces
export { findNetns, isGone, requireHostLink, requireNetns } from "./netns-lookup.ts";
export { hasIpv6, looseReversePath, noForwarding, ownArpOnly } from "./proxy-sysctls.ts";
export { heldBy, untilReleased } from "./released.ts";
export { removeEmpty } from "./remove-empty.ts";
export { ownSourcePorts } from "./source-ports.ts";
// Sysctls, and what stood there before
export { currentBootId, type NetnsHandle, type SysctlChange, SysctlJournal } from "./sysctl-journal.ts";
