import type { EventData, EventInput } from "./event.ts";
import { subjects } from "./subjects.ts";

/** Builds an input with the subject that its type prescribes, so that no watcher spells a subject by hand. */
export const inputs = {
  agentStarted: (data: EventData["agent.started"]): EventInput<"agent.started"> => ({
    type: "agent.started",
    subject: subjects.agent,
    data,
  }),
  agentStopped: (reason: string): EventInput<"agent.stopped"> => ({
    type: "agent.stopped",
    subject: subjects.agent,
    data: { reason },
  }),
  backendSelected: (data: EventData["backend.selected"]): EventInput<"backend.selected"> => ({
    type: "backend.selected",
    subject: subjects.agent,
    data,
  }),
  proxiesFound: (proxies: EventData["proxies.found"]["proxies"]): EventInput<"proxies.found"> => ({
    type: "proxies.found",
    subject: subjects.proxies,
    data: { proxies },
  }),
  switchRequested: (data: EventData["switch.requested"]): EventInput<"switch.requested"> => ({
    type: "switch.requested",
    subject: subjects.switch,
    data,
  }),
  namespaceObserved: (data: EventData["namespace.observed"]): EventInput<"namespace.observed"> => ({
    type: "namespace.observed",
    subject: subjects.namespace(data.name),
    data,
  }),
  namespaceRemoved: (name: string): EventInput<"namespace.removed"> => ({
    type: "namespace.removed",
    subject: subjects.namespace(name),
    data: { name },
  }),
  podObserved: (data: EventData["pod.observed"]): EventInput<"pod.observed"> => ({
    type: "pod.observed",
    subject: subjects.pod(data.uid),
    data,
  }),
  podRemoved: (uid: string): EventInput<"pod.removed"> => ({
    type: "pod.removed",
    subject: subjects.pod(uid),
    data: { uid },
  }),
  nodeObserved: (data: EventData["node.observed"]): EventInput<"node.observed"> => ({
    type: "node.observed",
    subject: subjects.node,
    data,
  }),
  hostAddresses: (addresses: readonly string[]): EventInput<"host.addresses"> => ({
    type: "host.addresses",
    subject: subjects.node,
    data: { addresses: [...addresses] },
  }),
  watchSynced: (watch: string): EventInput<"watch.synced"> => ({
    type: "watch.synced",
    subject: subjects.watch(watch),
    data: { watch },
  }),
  watchLost: (watch: string, reason: string): EventInput<"watch.lost"> => ({
    type: "watch.lost",
    subject: subjects.watch(watch),
    data: { watch, reason },
  }),
  interfaceAdded: (data: EventData["interface.added"]): EventInput<"interface.added"> => ({
    type: "interface.added",
    subject: subjects.interface(data.containerId),
    data,
  }),
  interfaceRemoved: (data: EventData["interface.removed"]): EventInput<"interface.removed"> => ({
    type: "interface.removed",
    subject: subjects.interface(data.containerId),
    data,
  }),
  discoveryFailed: (data: EventData["discovery.failed"]): EventInput<"discovery.failed"> => ({
    type: "discovery.failed",
    subject: subjects.workload(data.uid),
    data,
  }),
  linkChanged: (data: EventData["link.changed"]): EventInput<"link.changed"> => ({
    type: "link.changed",
    subject: subjects.link(data.ifindex),
    data,
  }),
} as const;
