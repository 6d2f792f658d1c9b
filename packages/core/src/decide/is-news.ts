import { canonicalJson } from "../events/canonical-json.ts";
import type { EventInput } from "../events/event.ts";
import { subjects } from "../events/subjects.ts";
import { unknownProxies } from "../state/found-proxies.ts";
import type { State } from "../state/state.ts";

/**
 * Whether an input says anything that the state does not have already. What does not is no event: a watch that lists everything again
 * would otherwise fill the log with repetitions. What asks for something (timers, drift, outcomes) is always news.
 */
export function isNews(state: State, { type, data }: EventInput): boolean {
  switch (type) {
    case "namespace.observed": {
      const labels = state.namespaces.get(data.name);
      return differs(labels, data.labels) || state.recalled.has(subjects.namespace(data.name));
    }
    case "namespace.removed":
      return state.namespaces.has(data.name);
    case "pod.observed":
      return differs(state.pods.get(data.uid), data) || state.recalled.has(subjects.pod(data.uid));
    case "proxies.found":
      return unknownProxies(state, data.proxies).length > 0;
    case "pod.removed":
      return state.pods.has(data.uid);
    case "node.observed":
      return data.name === state.agent?.node && differs(state.observedAddresses, data.addresses);
    case "host.addresses":
      return differs(state.hostAddresses, data.addresses);
    case "interface.added": {
      const { seq: _, ...known } = state.interfaces.get(data.containerId) ?? { seq: 0 };
      return (data.source === "cni" || state.pods.has(data.uid)) && differs(known, data);
    }
    case "interface.removed":
      return (
        state.interfaces.has(data.containerId) ||
        state.carried.has(subjects.workload(data.uid)) ||
        state.carriedProxies.has(data.uid)
      );
    case "discovery.failed":
      return state.pods.has(data.uid) && differs(state.discovery.get(data.uid), data.attempts);
    case "watch.synced":
      return state.watches.get(data.watch)?.state !== "synced";
    default:
      return true;
  }
}

function differs(known: unknown, told: unknown): boolean {
  return known === undefined || canonicalJson(known) !== canonicalJson(told);
}
