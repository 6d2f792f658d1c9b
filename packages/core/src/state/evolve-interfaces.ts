import type { EventData, EventRecord } from "../events/event.ts";
import { subjects } from "../events/subjects.ts";
import { reclaimed } from "./claims.ts";
import { addTo, membersOf, removeFrom } from "./index-map.ts";
import type { State } from "./state.ts";

/** An interface that was sought for a pod and found after the pod had gone is none: it was an inference from that pod. */
export function interfaceAdded(state: State, { seq, data }: EventRecord<"interface.added">): State {
  if (data.source !== "cni" && !state.pods.has(data.uid)) return state;
  const rest = without(state, data.containerId);
  return reclaimed(rest, data.uid, {
    ...rest,
    interfaces: rest.interfaces.set(data.containerId, { ...data, seq }),
    containersByPod: addTo(rest.containersByPod, data.uid, data.containerId),
    containersByLink: addTo(rest.containersByLink, data.hostIfIndex, data.containerId),
    discovery: rest.discovery.remove(data.uid),
    carriedProxies: rest.carriedProxies.remove(data.uid),
  });
}

/** Also ends the hold on what an earlier run asked for: somebody who knows says that the sandbox is gone. */
export function interfaceRemoved(state: State, { containerId, uid }: EventData["interface.removed"]): State {
  return {
    ...without(state, containerId),
    carried: state.carried.remove(subjects.workload(uid)),
    carriedProxies: state.carriedProxies.remove(uid),
  };
}

/** The host end of a veth went away, and the pair with it. The name is compared because the kernel gives an index out again. */
export function linkChanged(state: State, { ifindex, name, change }: EventData["link.changed"]): State {
  if (change === "added") return state;
  return membersOf(state.containersByLink, ifindex)
    .filter((container) => state.interfaces.get(container)?.hostIfName === name)
    .reduce(without, state);
}

/** Why a pod's interface is not known, for people; only while the pod is there. */
export function discoveryFailed(state: State, { uid, attempts }: EventData["discovery.failed"]): State {
  return state.pods.has(uid) ? { ...state, discovery: state.discovery.set(uid, attempts) } : state;
}

/**
 * Interfaces that were found by the pod's addresses, now that the pod is gone. They were an inference from it, and nobody will
 * announce their end; what CNI told us ends by CNI DEL.
 */
export function withoutInferred(state: State, uid: string): State {
  return membersOf(state.containersByPod, uid)
    .filter((container) => state.interfaces.get(container)?.source !== "cni")
    .reduce(without, state);
}

function without(state: State, containerId: string): State {
  const found = state.interfaces.get(containerId);
  if (found === undefined) return state;
  return reclaimed(state, found.uid, {
    ...state,
    interfaces: state.interfaces.remove(containerId),
    containersByPod: removeFrom(state.containersByPod, found.uid, containerId),
    containersByLink: removeFrom(state.containersByLink, found.hostIfIndex, containerId),
  });
}
