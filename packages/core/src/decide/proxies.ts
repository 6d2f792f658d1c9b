import type { NodeProxy, Proxies } from "../backend/contract.ts";
import { byCodeUnit } from "../events/address.ts";
import { proxyKey } from "../events/proxy-key.ts";
import { subjects } from "../events/subjects.ts";
import {
  addressesOf,
  hasSynced,
  interfaceOf,
  interfacesOf,
  isOnThisNode,
  isTerminal,
  requestedProxies,
} from "../state/queries.ts";
import type { Interface, Pod, State } from "../state/state.ts";
import { podInterface } from "./workload.ts";

/** The data path has eight slots (`MAX_PROXIES` in bpf/include/layout.h): one active, the rest draining. */
export const MAX_DRAINING = 7;

export interface WantedProxies {
  readonly proxies: Proxies;
  /** Nothing certain is known yet, so that what an earlier run asked for stays. */
  readonly hold: boolean;
  /** Why a pod that looks like a proxy does not serve as one, one phrase each. */
  readonly problems: readonly string[];
}

/**
 * Active is the newest Ready proxy pod that is not terminating (a surge roll-out has two for a while, and the new one takes over). One that
 * was active before goes on draining for as long as its pod and that very network namespace exist, ready or not.
 */
export function wantedProxies(state: State): WantedProxies {
  const problems: string[] = [];
  const candidates: Candidate[] = [];
  const undiscovered: string[] = [];
  for (const uid of state.proxyPods.toArray().sort(byCodeUnit)) {
    const pod = state.pods.get(uid);
    if (pod === undefined || !isOnThisNode(state, pod) || !pod.ready || pod.terminating || isTerminal(pod)) continue;
    const found = interfaceOf(state, uid);
    if (pod.hostNetwork) {
      problems.push(
        `${pod.namespace}/${pod.name}: a proxy on the host's network cannot be steered to; run it as an ordinary pod`,
      );
    } else if (found === undefined) {
      undiscovered.push(uid);
      problems.push(`${pod.namespace}/${pod.name}: no interface`);
    } else {
      candidates.push({ pod, found });
    }
  }
  const newest = candidates.sort(newestFirst)[0];
  const active = newest && nodeProxy(state, newest);
  const { draining, tooMany } = drainingProxies(state, active);
  if (tooMany > 0) problems.push(`${tooMany} replaced proxies more than can drain: their connections end`);
  return {
    proxies: active === undefined ? { draining } : { active, draining },
    hold: state.carried.has(subjects.proxies) && isUncertain(state, active, undiscovered),
    problems,
  };
}

interface Candidate {
  readonly pod: Pod;
  readonly found: Interface;
}

/** Creation times have one form (UTC, milliseconds), so they compare as text; at the same instant the greater uid wins. */
function newestFirst(a: Candidate, b: Candidate): number {
  return byCodeUnit(b.pod.createdAt, a.pod.createdAt) || byCodeUnit(b.pod.uid, a.pod.uid);
}

function nodeProxy(state: State, { pod, found }: Candidate): NodeProxy {
  const addresses = addressesOf(state, pod.uid);
  return {
    uid: pod.uid,
    key: proxyKey(pod.uid, found.netnsInode, addresses),
    namespace: pod.namespace,
    name: pod.name,
    addresses,
    interface: podInterface(found),
  };
}

/** After a restart traffic must not flip to an older proxy, or to none, only because the newer one has not been found again yet. */
function isUncertain(state: State, active: NodeProxy | undefined, undiscovered: readonly string[]): boolean {
  if (!hasSynced(state)) return true;
  if (active === undefined) return undiscovered.length > 0;
  const [formerly] = requestedProxies(state);
  return formerly !== undefined && undiscovered.includes(formerly.uid);
}

/** Those that were in use before, newest first, as they were asked for then. */
function drainingProxies(state: State, active: NodeProxy | undefined): { draining: NodeProxy[]; tooMany: number } {
  const still = requestedProxies(state).filter((proxy) => !isSameNetns(proxy, active) && exists(state, proxy));
  return { draining: still.slice(0, MAX_DRAINING), tooMany: Math.max(0, still.length - MAX_DRAINING) };
}

function isSameNetns(proxy: NodeProxy, active: NodeProxy | undefined): boolean {
  return proxy.uid === active?.uid && proxy.interface.netnsInode === active.interface.netnsInode;
}

/** Whether this incarnation is not known to be gone. */
function exists(state: State, { uid, interface: { netnsInode } }: NodeProxy): boolean {
  const unheard = state.carriedProxies.has(uid);
  const pod = state.pods.get(uid);
  if (pod === undefined) return unheard && !hasSynced(state);
  if (isTerminal(pod)) return false;
  return unheard || interfacesOf(state, uid).some((found) => found.netnsInode === netnsInode);
}
