import type { Configuration } from "@millrace/core/internal";

/** `type` of our entry in a chain, and name of the binary that the runtime executes for it (CNI SPEC, section 1). */
export const PLUGIN_TYPE = "millrace";

/** Our entry in the primary's list; what each key means to the plugin is in docs/cni-plugin.md. */
export interface PluginEntry {
  readonly type: typeof PLUGIN_TYPE;
  readonly [key: string]: unknown;
}

/** The plugin waits longer than the agent does, so that it hears the agent's reason and not its own deadline. Seconds. */
const LONGER_THAN_THE_AGENT = 5;
/** The plugin takes whole seconds up to this; a runtime's own deadline ends a call long before. */
const LONGEST_SECONDS = 300;

/** The plugin knows four levels; what it does not know it would refuse, and with it every pod. */
const LEVELS: Readonly<Record<Configuration["log"]["level"], "debug" | "info" | "warn" | "error">> = {
  trace: "debug",
  debug: "debug",
  info: "info",
  warn: "warn",
  error: "error",
  fatal: "error",
  silent: "error",
};

export function pluginEntry({ sockets, failurePolicy, membership, install, cni, log }: Configuration): PluginEntry {
  return {
    type: PLUGIN_TYPE,
    socket: sockets.cni,
    failurePolicy,
    excludeNamespaces: membership.excludeNamespaces,
    agent: { namespace: install.agentNamespace, podNamePrefix: install.agentPodNamePrefix },
    deadlineSeconds: Math.min(Math.ceil(cni.deadlineSeconds) + LONGER_THAN_THE_AGENT, LONGEST_SECONDS),
    logLevel: LEVELS[log.level],
  };
}
