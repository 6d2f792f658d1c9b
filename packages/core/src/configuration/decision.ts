import { sortedUnique } from "../events/address.ts";
import type { DecisionConfiguration } from "../events/agent-events.ts";
import type { Configuration } from "./schema.ts";

/** Names of the watches whose objects decisions rest on. */
export const WATCHES = {
  manifests: "manifests",
  pods: "kubernetes-pods",
  namespaces: "kubernetes-namespaces",
  node: "kubernetes-node",
} as const;

/** The part of the configuration that decisions use, for `agent.started`. `watches`: those that run; default, what is enabled. */
export function decisionConfiguration(
  configuration: Configuration,
  watches: readonly string[] = enabledWatches(configuration),
): DecisionConfiguration {
  const { redirectMode, failurePolicy, enrolExisting, dnsCapture, proxy, membership } = configuration;
  return {
    redirectMode,
    failurePolicy,
    enrolExisting,
    dnsCapture,
    proxy,
    membership: { ...membership, excludeNamespaces: sortedUnique(membership.excludeNamespaces) },
    watches: sortedUnique(watches),
  };
}

function enabledWatches({ manifests, kubernetes }: Configuration): string[] {
  return [
    ...(manifests.enabled ? [WATCHES.manifests] : []),
    ...(kubernetes.enabled ? [WATCHES.pods, WATCHES.namespaces, WATCHES.node] : []),
  ];
}
