import type { Configuration } from "@millrace/core";

/** `type` of our entry in a chain, and name of the binary that the runtime executes for it (CNI SPEC, section 1). */
export const PLUGIN_TYPE = "millrace";

/** Our entry in the primary's list; what each key means to the plugin is in docs/cni-plugin.md. */
export interface PluginEntry {
  readonly type: typeof PLUGIN_TYPE;
  readonly [key: string]: unknown;
}

/** The plugin waits longer than the agent does, so that it hears the agent's reason and not its own deadline. Seconds. */
const LONGER_THAN_THE_AGENT = 5;

export function pluginEntry({ sockets, failurePolicy, membership, install, cni, log }: Configuration): PluginEntry {
  return {
    type: PLUGIN_TYPE,
    socket: sockets.cni,
    failurePolicy,
    excludeNamespaces: membership.excludeNamespaces,
    agent: { namespace: install.agentNamespace, podNamePrefix: install.agentPodNamePrefix },
    deadlineSeconds: cni.deadlineSeconds + LONGER_THAN_THE_AGENT,
    logLevel: log.level,
  };
}
