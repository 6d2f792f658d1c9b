// The plugin
export { configSchema, type EbpfConfig } from "./config.ts";
// Errors
export { EbpfError, type EbpfErrorCode, ERRORS } from "./errors.ts";
// What becomes of packets, one by one
export { type DataPathEvent, type FollowOptions, followEvents } from "./events/follow-events.ts";
export { VERDICTS } from "./layout.ts";
export { ourProgram } from "./our-programs.ts";
export { ebpf as default } from "./plugin.ts";
