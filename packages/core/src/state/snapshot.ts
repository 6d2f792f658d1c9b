import { Map as ImmutableMap, Set as ImmutableSet } from "immutable";
import { byCodeUnit } from "../events/address.ts";
import { canonicalJson } from "../events/canonical-json.ts";
import type { StateSnapshot } from "../events/snapshot-event.ts";
import { reclaimed } from "./claims.ts";
import { addTo } from "./index-map.ts";
import { isProxyPod } from "./queries.ts";
import { initialState, type Memory, type Requested, type State } from "./state.ts";

/** The state as the data of a `state.snapshot` event. Indices are left out: they follow from the rest. */
export function toSnapshot(state: State): StateSnapshot {
  return {
    ...(state.agent && { agent: state.agent }),
    ...(state.backend && { backend: state.backend }),
    ...(state.switch && { switch: state.switch }),
    ...(state.switched && { switched: state.switched }),
    ...objectsOf(state),
    interfaces: entries(state.interfaces, (_, found) => found),
    hostAddresses: [...state.hostAddresses],
    observedAddresses: [...state.observedAddresses],
    watches: entries(state.watches, (watch, data) => ({ watch, ...data })),
    ...memory(state),
    requested: entries(state.requested, (subject, { canonical: _, ...intent }) => ({ subject, ...intent })),
    outcomes: entries(state.outcomes, (subject, outcome) => ({ subject, ...outcome })),
    drift: entries(state.drift, (subject, problems) => ({ subject, problems: [...problems] })),
    discovery: entries(state.discovery, (uid, attempts) => ({ uid, attempts })),
    carried: state.carried.toArray().sort(byCodeUnit),
    carriedProxies: state.carriedProxies.toArray().sort(byCodeUnit),
    again: state.again.toArray().sort(byCodeUnit),
  };
}

function objectsOf({ namespaces, pods }: Memory) {
  return {
    namespaces: entries(namespaces, (name, labels) => ({ name, labels })),
    pods: entries(pods, (_, pod) => pod),
  };
}

function memory({ remembered, recalled }: State): Pick<StateSnapshot, "remembered" | "recalled"> {
  const nothing = remembered.namespaces.isEmpty() && remembered.pods.isEmpty();
  return {
    ...(!nothing && { remembered: objectsOf(remembered) }),
    ...(!recalled.isEmpty() && { recalled: recalled.toArray().sort(byCodeUnit) }),
  };
}

/** The state that a snapshot describes, indices rebuilt. `seq` is the business of the event that carries it. */
export function fromSnapshot(snapshot: StateSnapshot): State {
  const { agent, backend, switched } = snapshot;
  let state: State = {
    ...initialState,
    ...(agent && { agent }),
    ...(backend && { backend }),
    ...(snapshot.switch && { switch: snapshot.switch }),
    ...(switched && { switched }),
    namespaces: ImmutableMap(snapshot.namespaces.map(({ name, labels }) => [name, labels])),
    hostAddresses: snapshot.hostAddresses,
    observedAddresses: snapshot.observedAddresses,
    watches: ImmutableMap(snapshot.watches.map(({ watch, ...data }) => [watch, data])),
    requested: ImmutableMap(
      snapshot.requested.map(({ subject, ...intent }) => [
        subject,
        { ...intent, canonical: canonicalJson(intent.spec) } as Requested,
      ]),
    ),
    outcomes: ImmutableMap(snapshot.outcomes.map(({ subject, ...outcome }) => [subject, outcome])),
    drift: ImmutableMap(snapshot.drift.map(({ subject, problems }) => [subject, problems])),
    discovery: ImmutableMap(snapshot.discovery.map(({ uid, attempts }) => [uid, attempts])),
    carried: ImmutableSet(snapshot.carried),
    carriedProxies: ImmutableSet(snapshot.carriedProxies),
    again: ImmutableSet(snapshot.again),
    remembered: {
      namespaces: ImmutableMap(snapshot.remembered?.namespaces.map(({ name, labels }) => [name, labels])),
      pods: ImmutableMap(snapshot.remembered?.pods.map((pod) => [pod.uid, pod])),
    },
    recalled: ImmutableSet(snapshot.recalled),
  };
  for (const found of snapshot.interfaces) {
    state = reclaimed(state, found.uid, {
      ...state,
      interfaces: state.interfaces.set(found.containerId, found),
      containersByPod: addTo(state.containersByPod, found.uid, found.containerId),
      containersByLink: addTo(state.containersByLink, found.hostIfIndex, found.containerId),
    });
  }
  for (const pod of snapshot.pods) {
    state = reclaimed(state, pod.uid, {
      ...state,
      pods: state.pods.set(pod.uid, pod),
      podsByNamespace: addTo(state.podsByNamespace, pod.namespace, pod.uid),
      proxyPods: isProxyPod(state, pod) ? state.proxyPods.add(pod.uid) : state.proxyPods,
    });
  }
  return state;
}

function entries<Value, Row>(map: ImmutableMap<string, Value>, row: (key: string, value: Value) => Row): Row[] {
  return [...map].sort(([a], [b]) => byCodeUnit(a, b)).map(([key, value]) => row(key, value));
}
