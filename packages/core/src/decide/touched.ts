import { byCodeUnit, sortedUnique } from "../events/address.ts";
import type { EventRecord } from "../events/event.ts";
import { idOf, subjects, workloadUid } from "../events/subjects.ts";
import { membersOf } from "../state/index-map.ts";
import { claimsOf, hasSynced, nodeAddresses, requestedProxies } from "../state/queries.ts";
import type { State } from "../state/state.ts";
import { touchedBySwitch } from "../switch/touched.ts";

/**
 * The subjects that an event may have changed the decision about, in the order in which they are decided: `node`, `proxies`, then
 * workloads sorted. Only these are looked at: a pod event touches that pod (and pods that claim its addresses), whatever the node holds.
 */
export function touched(event: EventRecord, before: State, after: State): string[] {
  switch (event.type) {
    case "agent.started":
      return hasSynced(after) ? everything(after) : [subjects.node, subjects.proxies];
    case "watch.synced":
      return inOrder([
        ...(hasSynced(after) && !hasSynced(before) ? everything(after) : []),
        ...recalled(before, after),
      ]);
    case "watch.lost":
      return inOrder(recalled(before, after));

    case "namespace.observed":
    case "namespace.removed":
      return ofNamespace(event.data.name, before, after);
    case "pod.removed":
      return inOrder([
        ...(before.switch === after.switch ? [] : [subjects.proxies]),
        ...ofPods([event.data.uid], before, after),
      ]);
    case "pod.observed":
    case "interface.added":
    case "interface.removed":
      return ofPods([...replacedBy(event, before), event.data.uid], before, after);
    case "link.changed":
      return ofPods(podsOnLink(before, event.data.ifindex), before, after);

    case "node.observed":
    case "host.addresses":
      return sameList(nodeAddresses(before), nodeAddresses(after)) ? [] : [subjects.node];

    case "proxies.found":
    case "drift.found":
    case "retry.due":
      return [event.subject];
    case "switch.requested":
    case "redirection.applied":
    case "redirection.failed":
    case "redirection.removed":
      return inOrder(touchedBySwitch(event, before, after));
    default:
      return [];
  }
}

/** What was asked for and is not confirmed has to go, or stay, now that absence means something. Once in a run. */
function everything(state: State): string[] {
  return [
    subjects.node,
    subjects.proxies,
    ...state.carried
      .filter((subject) => workloadUid(subject) !== undefined)
      .toArray()
      .sort(byCodeUnit),
  ];
}

/** What has come out of memory, or is no longer taken from it because it was seen not to be there. */
function recalled(before: State, after: State): string[] {
  const changed = [...after.recalled.subtract(before.recalled), ...before.recalled.subtract(after.recalled)];
  const uids = changed.flatMap((subject) => idOf("pod", subject) ?? []);
  const names = changed.flatMap((subject) => idOf("namespace", subject) ?? []);
  return [...ofPods(uids, before, after), ...names.flatMap((name) => ofNamespace(name, before, after))];
}

function inOrder(keys: readonly string[]): string[] {
  const first = [subjects.node, subjects.proxies].filter((subject) => keys.includes(subject));
  return [...first, ...sortedUnique(keys.filter((subject) => workloadUid(subject) !== undefined))];
}

function ofNamespace(name: string, before: State, after: State): string[] {
  const key = after.agent?.config.membership.namespaceLabel.key ?? "";
  const known = before.namespaces.has(name) === after.namespaces.has(name);
  if (known && before.namespaces.get(name)?.[key] === after.namespaces.get(name)?.[key]) return [];
  return membersOf(after.podsByNamespace, name).map(subjects.workload);
}

function ofPods(uids: readonly string[], before: State, after: State): string[] {
  const workloads = new Set(uids);
  for (const uid of uids) {
    for (const address of [...claimsOf(before, uid), ...claimsOf(after, uid)]) {
      for (const other of membersOf(after.claims, address)) workloads.add(other);
    }
  }
  const proxies = uids.some((uid) => isProxy(before, uid) || isProxy(after, uid)) ? [subjects.proxies] : [];
  return [...proxies, ...sortedUnique(workloads).map(subjects.workload)];
}

function isProxy(state: State, uid: string): boolean {
  return state.proxyPods.has(uid) || requestedProxies(state).some((proxy) => proxy.uid === uid);
}

/** The pod that had this container id until now; another one only when an id is used twice. */
function replacedBy(event: EventRecord, before: State): string[] {
  if (event.type !== "interface.added" && event.type !== "interface.removed") return [];
  const replaced = before.interfaces.get(event.data.containerId);
  return replaced === undefined ? [] : [replaced.uid];
}

function podsOnLink(before: State, ifindex: number): string[] {
  return membersOf(before.containersByLink, ifindex).flatMap(
    (container) => before.interfaces.get(container)?.uid ?? [],
  );
}

function sameList(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((item, index) => item === b[index]);
}
