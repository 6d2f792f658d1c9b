/** Every error the core throws on purpose, by stable code. The text here is the general meaning; the message has the particulars. */
export const CORE_ERRORS = {
  ERR_CONFIG_INVALID: "the configuration cannot be used",
  ERR_CONFIG_UNREADABLE: "the configuration file cannot be read",
  ERR_EVENT_INVALID: "an event does not have the shape of its type",
  ERR_KUBERNETES_OBJECT_INVALID: "a Kubernetes object lacks what decisions need",
  ERR_CNI_REQUEST_INVALID: "a request on the CNI socket cannot be decoded",
  ERR_LOG_NEWER_SCHEMA: "the event log was written by a newer version",
  ERR_LOG_FOREIGN: "the file at the event log's path is a database of something else",
  ERR_LOG_UNREADABLE: "the event log cannot be read",
  ERR_PLUGIN_NOT_FOUND: "no plugin under that name or path",
  ERR_PLUGIN_INVALID: "the module is not a plugin of this version",
  ERR_PLUGIN_CONFIG_INVALID: "the plugin refuses its part of the configuration",
  ERR_PLUGIN_FAILED: "a plugin threw",
  ERR_PLUGIN_PROCESS: "the process of a plugin has ended",
  ERR_PLUGIN_RESULT: "a plugin's result is not what the contract says",
  ERR_PLUGIN_DUPLICATE: "two plugins have the same name",
  ERR_REDIRECT_MODE_UNKNOWN: "redirectMode names no known plugin",
  ERR_NO_CAPABLE_BACKEND: "no backend can keep the contract on this host",
  ERR_DEADLINE: "a call did not finish in time",
  ERR_START_FAILED: "a part of the agent did not start",
  ERR_STOP_FAILED: "a part of the agent did not stop cleanly",
} as const;

export type CoreErrorCode = keyof typeof CORE_ERRORS;

/** `message` says what happened, where, and what to do next; `code` is stable; `cause` is what it came from. */
export class CoreError extends Error {
  readonly code: CoreErrorCode;

  constructor(code: CoreErrorCode, message: string, options: { readonly cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "CoreError";
    this.code = code;
  }
}

/** The stable code of anything thrown: its own `code` when it has one, else `ERR_UNEXPECTED`. */
export function errorCode(error: unknown): string {
  const code = (error as { code?: unknown } | null | undefined)?.code;
  return typeof code === "string" && code !== "" ? code : "ERR_UNEXPECTED";
}

/** The message of anything thrown. */
export function errorMessage(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
