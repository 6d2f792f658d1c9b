import type { NodeProxy } from "../backend/contract.ts";
import { sortedUnique } from "../events/address.ts";
import { subjects } from "../events/subjects.ts";
import { membersOf } from "./index-map.ts";
import type { Interface, Pod, State } from "./state.ts";

/** Questions about a state that both `evolve` and `decide` ask. All of them cost what they look at, never the size of the node. */

/** The pod's interface: of several sandboxes the one announced last. */
export function interfaceOf(state: State, uid: string): Interface | undefined {
  let newest: Interface | undefined;
  state.containersByPod.get(uid)?.forEach((container) => {
    const found = state.interfaces.get(container);
    if (found !== undefined && (newest === undefined || found.seq > newest.seq)) newest = found;
  });
  return newest;
}

export function interfacesOf(state: State, uid: string): Interface[] {
  return membersOf(state.containersByPod, uid).flatMap((container) => state.interfaces.get(container) ?? []);
}

/** A pod that has ended for good keeps its object and its status, but not its address (core/v1 PodPhase). */
export function isTerminal(pod: Pod): boolean {
  return pod.phase === "Succeeded" || pod.phase === "Failed";
}

/** What the pod's status and its interface say together: the status may lag behind, or know a family that discovery did not see. */
export function addressesOf(state: State, uid: string): string[] {
  return together(interfaceOf(state, uid)?.addresses ?? [], state.pods.get(uid)?.addresses ?? []);
}

/** Both lists are sorted; mostly they are the same, or one is empty. */
function together(a: readonly string[], b: readonly string[]): string[] {
  if (a.length === 0 || (a.length === b.length && a.every((address, index) => address === b[index]))) return [...b];
  return b.length === 0 ? [...a] : sortedUnique([...a, ...b]);
}

/** Addresses that this pod stands for on the network. Without an interface of its own it stands for none. */
export function claimsOf(state: State, uid: string): string[] {
  const pod = state.pods.get(uid);
  if (pod !== undefined && (pod.hostNetwork || isTerminal(pod))) return [];
  const found = interfaceOf(state, uid);
  return found === undefined ? [] : together(found.addresses, pod?.addresses ?? []);
}

/**
 * Who an address belongs to when several pods claim it: an interface that carries it beats a status that only mentions it (the status
 * of a pod whose sandbox was replaced still has the old address), then the interface announced last.
 */
export function ownerOf(state: State, address: string): string | undefined {
  let owner: { uid: string; carries: boolean; seq: number } | undefined;
  for (const uid of membersOf(state.claims, address)) {
    const found = interfaceOf(state, uid);
    if (found === undefined) continue;
    const claim = { uid, carries: found.addresses.includes(address), seq: found.seq };
    const stronger =
      owner === undefined ||
      (claim.carries === owner.carries ? claim.seq > owner.seq : claim.carries && !owner.carries);
    if (stronger) owner = claim;
  }
  return owner?.uid;
}

/** Every watch that decisions need has synced since this agent started: from now on, what is absent is gone. */
export function hasSynced(state: State): boolean {
  return state.agent?.config.watches.every((watch) => state.watches.get(watch)?.listed === true) ?? false;
}

/** The backend has confirmed what was last asked for about the subject; a new intent begins with a new outcome. */
export function isApplied(state: State, subject: string): boolean {
  return state.outcomes.get(subject)?.state === "applied";
}

export function isProxyPod(state: State, pod: Pod): boolean {
  const selector = state.agent?.config.proxy;
  if (selector === undefined || pod.namespace !== selector.namespace) return false;
  return Object.entries(selector.labels).every(([key, value]) => pod.labels[key] === value);
}

export function isOnThisNode(state: State, pod: Pod): boolean {
  return pod.nodeName === state.agent?.node;
}

/** The proxies that were last asked for, the active one first, then the draining ones as they were ordered. */
export function requestedProxies(state: State): NodeProxy[] {
  const requested = state.requested.get(subjects.proxies);
  if (requested?.action !== "use-proxies") return [];
  const { active, draining } = requested.spec;
  return active === undefined ? draining : [active, ...draining];
}

/** Every address that is local to the node, sorted. */
export function nodeAddresses(state: State): string[] {
  return sortedUnique([...state.hostAddresses, ...state.observedAddresses]);
}
