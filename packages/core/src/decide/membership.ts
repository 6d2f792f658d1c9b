import { ANNOTATIONS, REDIRECTION_DISABLED } from "../kubernetes/annotations.ts";
import { hasSynced, interfaceOf, isOnThisNode, isProxyPod, isTerminal } from "../state/queries.ts";
import type { Pod, State } from "../state/state.ts";

/**
 * Whether a pod belongs in the mesh. `not-member` is certain. `unknown` means that something it depends on has not been seen: `final` when
 * every watch has synced, so that waiting for the first list will not change it.
 */
export type Membership =
  | { readonly kind: "member" }
  | { readonly kind: "not-member"; readonly reason: string }
  | { readonly kind: "unknown"; readonly reason: string; readonly final: boolean };

/**
 * The membership predicate of Istio ambient 1.18-1.20 (`PodRedirectionEnabled`): namespace label, no sidecar, not disabled by annotation.
 * Beyond it: pods of the host's network, ended pods, other nodes' pods, excluded namespaces and node proxies are never members.
 */
export function membershipOf(state: State, uid: string): Membership {
  const pod = state.pods.get(uid);
  const namespace = pod?.namespace ?? interfaceOf(state, uid)?.namespace;
  const reason =
    (pod && podReason(state, pod)) ?? (namespace === undefined ? undefined : namespaceReason(state, namespace));
  if (reason !== undefined) return { kind: "not-member", reason };
  if (pod === undefined) return unknown(state, "the pod has not been seen");
  if (!state.namespaces.has(pod.namespace)) return unknown(state, `namespace ${pod.namespace} has not been seen`);
  return { kind: "member" };
}

function podReason(state: State, pod: Pod): string | undefined {
  if (!isOnThisNode(state, pod)) return pod.nodeName === "" ? "not scheduled" : `on node ${pod.nodeName}`;
  if (isProxyPod(state, pod)) return "node proxy";
  if (pod.hostNetwork) return "hostNetwork";
  if (isTerminal(pod)) return `phase ${pod.phase}`;
  if (pod.annotations[ANNOTATIONS.sidecar] !== undefined) return `annotation ${ANNOTATIONS.sidecar}`;
  for (const key of [ANNOTATIONS.ambientRedirection, ANNOTATIONS.redirection]) {
    if (pod.annotations[key] === REDIRECTION_DISABLED) return `annotation ${key}=${REDIRECTION_DISABLED}`;
  }
  return undefined;
}

function namespaceReason(state: State, namespace: string): string | undefined {
  const membership = state.agent?.config.membership;
  if (membership === undefined) return undefined;
  if (membership.excludeNamespaces.includes(namespace)) return `namespace ${namespace} is excluded`;
  const labels = state.namespaces.get(namespace);
  const { key, value } = membership.namespaceLabel;
  if (labels === undefined || labels[key] === value) return undefined;
  return `namespace ${namespace} has no label ${key}=${value}`;
}

function unknown(state: State, reason: string): Membership {
  return { kind: "unknown", reason, final: hasSynced(state) };
}
