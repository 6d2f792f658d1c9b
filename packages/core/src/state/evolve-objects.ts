import type { EventData } from "../events/event.ts";
import { subjects } from "../events/subjects.ts";
import { reclaimed } from "./claims.ts";
import { withoutInferred } from "./evolve-interfaces.ts";
import { addTo, removeFrom } from "./index-map.ts";
import { isProxyPod } from "./queries.ts";
import type { State } from "./state.ts";

export function namespaceObserved(state: State, { name, labels }: EventData["namespace.observed"]): State {
  const recalled = state.recalled.remove(subjects.namespace(name));
  return { ...state, recalled, namespaces: state.namespaces.set(name, labels) };
}

export function namespaceRemoved(state: State, { name }: EventData["namespace.removed"]): State {
  const recalled = state.recalled.remove(subjects.namespace(name));
  return { ...state, recalled, namespaces: state.namespaces.remove(name) };
}

export function podObserved(state: State, pod: EventData["pod.observed"]): State {
  const before = state.pods.get(pod.uid);
  const { podsByNamespace, proxyPods } = state;
  const moved = before !== undefined && before.namespace !== pod.namespace;
  const rest = moved ? removeFrom(podsByNamespace, before.namespace, pod.uid) : podsByNamespace;
  return reclaimed(state, pod.uid, {
    ...state,
    recalled: state.recalled.remove(subjects.pod(pod.uid)),
    pods: state.pods.set(pod.uid, pod),
    podsByNamespace: before !== undefined && !moved ? rest : addTo(rest, pod.namespace, pod.uid),
    proxyPods: isProxyPod(state, pod) ? proxyPods.add(pod.uid) : proxyPods.remove(pod.uid),
  });
}

export function podRemoved(state: State, { uid }: EventData["pod.removed"]): State {
  const before = state.pods.get(uid);
  if (before === undefined) return state;
  const rest = withoutInferred(state, uid);
  return reclaimed(rest, uid, {
    ...rest,
    recalled: rest.recalled.remove(subjects.pod(uid)),
    pods: rest.pods.remove(uid),
    podsByNamespace: removeFrom(rest.podsByNamespace, before.namespace, uid),
    proxyPods: rest.proxyPods.remove(uid),
    discovery: rest.discovery.remove(uid),
  });
}

/** Other nodes' objects are of no use here. */
export function nodeObserved(state: State, { name, addresses }: EventData["node.observed"]): State {
  return name === state.agent?.node ? { ...state, observedAddresses: addresses } : state;
}
