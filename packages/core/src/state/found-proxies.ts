import { canonicalJson } from "../events/canonical-json.ts";
import type { EventData, EventRecord } from "../events/event.ts";
import { partsOfKey } from "../events/proxy-key.ts";
import { subjects } from "../events/subjects.ts";
import { interfacesOf, requestedProxies } from "./queries.ts";
import type { Requested, State } from "./state.ts";

type Found = EventData["proxies.found"]["proxies"][number];
type Spec = Extract<Requested, { action: "use-proxies" }>["spec"];

/**
 * Proxies that a backend sends to and that the log knows nothing of: it was lost, or its end was. They count as asked for by an earlier run, so that what comes
 * of them is what would have come with the log: they drain while they are there, and nothing flips to another one before everything was listed.
 * What the log does know is left as it is; it may be ahead of the kernel.
 */
export function proxiesFound(state: State, { seq, time, data }: EventRecord<"proxies.found">): State {
  const unknown = unknownProxies(state, data.proxies);
  if (unknown.length === 0) return state;
  const [first] = unknown;
  const active = first?.role === "active" ? nodeProxy(state, first) : undefined;
  const before = state.requested.get(subjects.proxies);
  const { active: formerly, draining, ...rest } = before?.action === "use-proxies" ? before.spec : nothing;
  const others = unknown.slice(active === undefined ? 0 : 1).map((proxy) => nodeProxy(state, proxy));
  const spec: Spec = {
    ...rest,
    ...((active ?? formerly) && { active: active ?? formerly }),
    draining: [...(active && formerly ? [formerly] : []), ...draining, ...others],
  };
  const requested: Requested = { action: "use-proxies", spec, canonical: canonicalJson(spec), seq, time };
  const unheard = unknown.map(uidOf).filter((uid) => interfacesOf(state, uid).length === 0);
  return {
    ...state,
    requested: state.requested.set(subjects.proxies, requested),
    carried: state.carried.add(subjects.proxies),
    carriedProxies: state.carriedProxies.union(unheard),
  };
}

const nothing: Spec = { draining: [] };

/** Those that were not asked for. One whose key nobody can read (its note was lost) cannot be told from a pod, and is none of them. */
export function unknownProxies(state: State, found: readonly Found[]): readonly Found[] {
  const known = new Set(requestedProxies(state).map((proxy) => proxy.interface.netnsInode));
  return found.filter(({ key, interface: { netnsInode } }) => {
    const isUnknown = !known.has(netnsInode) && partsOfKey(key) !== undefined;
    known.add(netnsInode);
    return isUnknown;
  });
}

/** As it was asked for: proxies are all of one namespace, the configured one. */
function nodeProxy({ agent }: State, found: Found): Spec["draining"][number] {
  const { key, name, interface: pod } = found;
  const addresses = partsOfKey(key)?.addresses ?? [];
  return { uid: uidOf(found), key, namespace: agent?.config.proxy.namespace ?? "", name, addresses, interface: pod };
}

const uidOf = ({ key }: Found): string => partsOfKey(key)?.uid ?? "";
