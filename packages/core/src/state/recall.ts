import { WATCHES } from "../configuration/decision.ts";
import { subjects } from "../events/subjects.ts";
import { namespaceObserved, namespaceRemoved, podObserved, podRemoved } from "./evolve-objects.ts";
import { initialState, type Memory, type State } from "./state.ts";

/**
 * What an agent goes on with that starts while its source of objects is away. A run that can list takes nothing from memory: what was true
 * may have changed while no agent ran, and the list says what it is now. A run that cannot would leave every pod that starts, or restarts,
 * without an answer, although nothing about it has changed since: the kubelet goes on with what it knew as well.
 */

const TELLS_PODS: readonly string[] = [WATCHES.manifests, WATCHES.pods];
const TELLS_NAMESPACES: readonly string[] = [WATCHES.manifests, WATCHES.namespaces];

/** What the next run may recall: what this one has seen, and of what it could not list, what it remembered itself. */
export function memoryOf({ remembered, namespaces, pods }: State): Memory {
  return { namespaces: remembered.namespaces.merge(namespaces), pods: remembered.pods.merge(pods) };
}

/** A watch is lost before its first list: what it would tell comes from memory. */
export function recall(before: State, watch: string): State {
  let state = before;
  const { namespaces, pods } = before.remembered;
  if (TELLS_NAMESPACES.includes(watch)) {
    for (const [name, labels] of namespaces) {
      if (state.namespaces.has(name)) continue;
      state = namespaceObserved(state, { name, labels });
      state = { ...state, recalled: state.recalled.add(subjects.namespace(name)) };
    }
  }
  if (TELLS_PODS.includes(watch)) {
    for (const [uid, pod] of pods) {
      if (state.pods.has(uid)) continue;
      // Its addresses may be another pod's by now. What it has comes with its interface.
      state = podObserved(state, { ...pod, addresses: [] });
      state = { ...state, recalled: state.recalled.add(subjects.pod(uid)) };
    }
  }
  return state;
}

/** A watch has listed: what it did not mention is not there, whatever we remember. */
export function forget(before: State, watch: string): State {
  let state = before;
  if (TELLS_NAMESPACES.includes(watch)) {
    for (const name of state.remembered.namespaces.keys()) {
      if (state.recalled.has(subjects.namespace(name))) state = namespaceRemoved(state, { name });
    }
    state = { ...state, remembered: { ...state.remembered, namespaces: initialState.remembered.namespaces } };
  }
  if (TELLS_PODS.includes(watch)) {
    for (const uid of state.remembered.pods.keys()) {
      if (state.recalled.has(subjects.pod(uid))) state = podRemoved(state, { uid });
    }
    state = { ...state, remembered: { ...state.remembered, pods: initialState.remembered.pods } };
  }
  return state;
}
