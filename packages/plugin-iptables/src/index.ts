// Errors
export { CommandError } from "./commands/command-error.ts";
export { ERRORS, IptablesError, type IptablesErrorCode } from "./errors.ts";
