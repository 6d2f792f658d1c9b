// The plugin
export { configSchema, type EbpfConfig } from "./config.ts";
// Errors
export { EbpfError, type EbpfErrorCode, ERRORS } from "./errors.ts";
export { ourProgram } from "./our-programs.ts";
export { ebpf as default } from "./plugin.ts";
