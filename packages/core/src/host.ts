// What a backend does on a host beside its own objects. It needs Linux, and the addon of linux-ts. A change here is one of the public API: see `index.ts`.

// Errors
export { HOST_ERRORS, HostError, type HostErrorCode } from "./host/errors.ts";
export { KeyedMutex } from "./host/keyed-mutex.ts";
// Pods' interfaces and network namespaces
export { bridgeOf, isGone, requireHostLink, requireHostLinkAsync, requireNetns } from "./host/pod-interface.ts";
// Programs
export { type ProgramOptions, runProgram } from "./host/run-program.ts";
// Sysctls, and what stood there before
export { type NetnsHandle, type SysctlChange, SysctlJournal } from "./host/sysctl-journal.ts";
