import { canonicalJson, interfaceOf, type State, wantedWorkload } from "@millrace/core/internal";
import type { WantedPod } from "@millrace/watchers";
import { distinctUntilChanged, map, type Observable, throttleTime } from "rxjs";

/** Changes of the state come in bursts, when a watch lists everything or a node starts. */
const GATHER_MS = 200;

/**
 * The pods that need an interface and have none: members, and pods of the node proxy. Without an address there is nothing to find one by:
 * such a pod is being started, and CNI is about to tell.
 */
export function podsWithoutInterface(state: State): readonly WantedPod[] {
  const wanted: WantedPod[] = [];
  for (const [uid, pod] of state.pods) {
    if (pod.addresses.length === 0 || interfaceOf(state, uid) !== undefined) continue;
    const isProxy = state.proxyPods.has(uid) && pod.nodeName === state.agent?.node && !pod.hostNetwork;
    if (!isProxy && wantedWorkload(state, uid).kind !== "pending") continue;
    wanted.push({ uid, namespace: pod.namespace, name: pod.name, addresses: pod.addresses });
  }
  return wanted.sort((one, other) => (one.uid < other.uid ? -1 : 1));
}

/** {@link podsWithoutInterface} whenever it changes, and at once. */
export function wantedPods(state$: Observable<State>): Observable<readonly WantedPod[]> {
  return state$.pipe(
    throttleTime(GATHER_MS, undefined, { leading: true, trailing: true }),
    map(podsWithoutInterface),
    distinctUntilChanged((one, other) => canonicalJson(one) === canonicalJson(other)),
  );
}
