// Errors
export { CommandError } from "./commands/command-error.ts";
// The plugin
export { configSchema, type IptablesConfig } from "./config.ts";
export { ERRORS, IptablesError, type IptablesErrorCode } from "./errors.ts";
export { iptables as default } from "./plugin.ts";
