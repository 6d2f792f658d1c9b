import type { EventRecord } from "../events/event.ts";
import { workloadUid } from "../events/subjects.ts";
import { afterOutcome, forgotten, switchRequested } from "../switch/evolve-switch.ts";
import { agentStarted, agentStopped, watchLost, watchSynced } from "./evolve-agent.ts";
import { discoveryFailed, interfaceAdded, interfaceRemoved, linkChanged } from "./evolve-interfaces.ts";
import { namespaceObserved, namespaceRemoved, nodeObserved, podObserved, podRemoved } from "./evolve-objects.ts";
import {
  driftFound,
  redirectionOutcome,
  redirectionRemoved,
  redirectionRequested,
  retryDue,
} from "./evolve-redirections.ts";
import { proxiesFound } from "./found-proxies.ts";
import { fromSnapshot } from "./snapshot.ts";
import type { State } from "./state.ts";

/**
 * The state after an event. Pure: no clock, no randomness, no disk; time is the event's own. Of an event that tells nothing new the same
 * state comes back but for its `seq`. Every event type is known here, and the compiler says so when one is missing.
 */
export function evolve(state: State, event: EventRecord): State {
  return { ...applied(state, event), seq: event.seq };
}

function applied(state: State, event: EventRecord): State {
  switch (event.type) {
    case "agent.started":
      return agentStarted(state, event);
    case "agent.stopped":
      return agentStopped(state, event);
    case "backend.selected":
      return { ...state, backend: event.data };
    case "state.snapshot":
      return fromSnapshot(event.data);
    case "log.gap":
    case "resync.due":
      return state;

    case "namespace.observed":
      return namespaceObserved(state, event.data);
    case "namespace.removed":
      return namespaceRemoved(state, event.data);
    case "pod.observed":
      return podObserved(state, event.data);
    case "pod.removed":
      return forgotten(podRemoved(state, event.data), event.data.uid);
    case "node.observed":
      return nodeObserved(state, event.data);
    case "host.addresses":
      return { ...state, hostAddresses: event.data.addresses };
    case "watch.synced":
      return watchSynced(state, event);
    case "watch.lost":
      return watchLost(state, event);

    case "interface.added":
      return interfaceAdded(state, event);
    case "interface.removed":
      return interfaceRemoved(state, event.data);
    case "link.changed":
      return linkChanged(state, event.data);
    case "discovery.failed":
      return discoveryFailed(state, event.data);

    case "proxies.found":
      return proxiesFound(state, event);
    case "redirection.requested":
      return redirectionRequested(state, event);
    case "redirection.applied":
    case "redirection.failed":
      return afterOutcome(redirectionOutcome(state, event), event);
    case "redirection.removed":
      return forgotten(redirectionRemoved(state, event), workloadUid(event.subject));
    case "switch.requested":
      return switchRequested(state, event);
    case "drift.found":
      return driftFound(state, event);
    case "drift.mended":
      return { ...state, drift: state.drift.remove(event.subject) };
    case "retry.due":
      return retryDue(state, event.subject);
  }
}
