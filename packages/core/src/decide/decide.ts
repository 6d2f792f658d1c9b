import { canonicalJson } from "../events/canonical-json.ts";
import type { EventData, EventInput } from "../events/event.ts";
import { subjects, workloadUid } from "../events/subjects.ts";
import { hasSynced, nodeAddresses } from "../state/queries.ts";
import type { State } from "../state/state.ts";
import { proxiesPlacement, workloadPlacement } from "../switch/placement.ts";
import { wantedProxies } from "./proxies.ts";
import { wantedWorkload } from "./workload.ts";

export type Intent = EventInput<"redirection.requested">;
type Data = EventData["redirection.requested"];

/**
 * What to do about these subjects. Pure and level-triggered: an intent comes out only where what is wanted differs from what was last asked
 * for, or where it is to be asked again. `state.seq` is the place of the event that caused it. See {@link touched} for the keys.
 */
export function decide(state: State, keys: readonly string[]): Intent[] {
  if (state.agent === undefined) return [];
  return keys.flatMap((subject) => {
    const data = decideOne(state, subject);
    return data === undefined ? [] : [{ type: "redirection.requested", subject, data }];
  });
}

function decideOne(state: State, subject: string): Data | undefined {
  if (subject === subjects.node) return decideNode(state);
  if (subject === subjects.proxies) return decideProxies(state);
  const uid = workloadUid(subject);
  return uid === undefined ? undefined : decideWorkload(state, subject, uid);
}

function decideNode(state: State): Data | undefined {
  const addresses = nodeAddresses(state);
  if (addresses.length === 0) return undefined;
  return unlessAsked(state, subjects.node, { cause: state.seq, action: "use-node", spec: { addresses } });
}

function decideProxies(state: State): Data | undefined {
  const { proxies, hold } = wantedProxies(state);
  const placement = proxiesPlacement(state, proxies);
  const nothing = proxies.active === undefined && proxies.draining.length === 0 && placement === undefined;
  const unasked = !state.requested.has(subjects.proxies) && !state.again.has(subjects.proxies);
  if (hold || (nothing && unasked)) return undefined;
  const spec = { ...proxies, draining: [...proxies.draining], ...(placement && { placement }) } as Extract<
    Data,
    { action: "use-proxies" }
  >["spec"];
  return unlessAsked(state, subjects.proxies, { cause: state.seq, action: "use-proxies", spec });
}

function decideWorkload(state: State, subject: string, uid: string): Data | undefined {
  const wanted = wantedWorkload(state, uid);
  if (wanted.kind === "redirect") {
    const placement = workloadPlacement(state, subject, uid);
    const spec = { ...wanted.spec, ...(placement && { placement }) } as Extract<Data, { action: "apply" }>["spec"];
    return unlessAsked(state, subject, { cause: state.seq, action: "apply", spec });
  }
  const carried = state.carried.has(subject);
  // A member whose interface is not found again after a restart still has its redirection; before the first list, so may any pod.
  if (wanted.kind === "pending" && (carried || !state.requested.has(subject))) return undefined;
  if (wanted.kind === "unknown" && !hasSynced(state) && (carried || !state.requested.has(subject))) return undefined;
  if (!state.requested.has(subject) && !state.again.has(subject)) return undefined;
  return unlessAsked(state, subject, { cause: state.seq, action: "remove", spec: { uid } });
}

function unlessAsked(state: State, subject: string, data: Data): Data | undefined {
  const last = state.requested.get(subject);
  const same = last?.action === data.action && last.canonical === canonicalJson(data.spec);
  return same && !state.again.has(subject) && !state.carried.has(subject) ? undefined : data;
}
