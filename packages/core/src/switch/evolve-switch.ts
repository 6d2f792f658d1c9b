import { sortedUnique } from "../events/address.ts";
import type { EventRecord } from "../events/event.ts";
import { subjects, workloadUid } from "../events/subjects.ts";
import type { SwitchUnderWay } from "../events/switch-events.ts";
import type { State } from "../state/state.ts";
import { lastPlacement } from "./placement.ts";

/** Failures in a row of one step after which a switch goes back. */
export const MOST_FAILURES = 3;

export function switchRequested(state: State, { data, time }: EventRecord<"switch.requested">): State {
  const serving = state.backend?.backend;
  const current = state.switch;
  if (serving === undefined) return state;
  const { to, uids, mode, reason } = data;
  const asked = { mode, reason, time };
  if (current === undefined) {
    if (to === serving) return { ...state, switched: { mode, backend: serving, time } };
    return {
      ...state,
      switch: { home: serving, away: to, everything: uids === undefined, uids: sortedUnique(uids ?? []), ...asked },
    };
  }
  if (to !== current.home && to !== current.away) return state;
  const { home, away, everything } = current;
  if (uids === undefined) {
    return { ...state, switch: { home, away, everything: to === away, uids: [], ...asked } };
  }
  // Of a node that goes over with everything no single workload is kept back.
  if (everything) return state;
  const others = current.uids.filter((uid) => !uids.includes(uid));
  return {
    ...state,
    switch: { home, away, everything, uids: sortedUnique(to === away ? [...others, ...uids] : others), ...asked },
  };
}

/** A pod that was named, and is gone with its redirection: one with its UID does not come again, and both backends would stay for nobody. */
export function forgotten(state: State, uid: string | undefined): State {
  const { switch: current } = state;
  if (current === undefined || uid === undefined || !current.uids.includes(uid)) return state;
  if (state.pods.has(uid) || state.requested.has(subjects.workload(uid))) return state;
  return { ...state, switch: { ...current, uids: current.uids.filter((other) => other !== uid) } };
}

/** What an outcome means for a switch: the last one ends it, one that fails again and again turns it. */
export function afterOutcome(state: State, event: EventRecord<"redirection.applied" | "redirection.failed">): State {
  const { switch: current } = state;
  const requested = state.requested.get(event.subject);
  if (current === undefined || requested?.seq !== event.data.generation) return state;
  return event.type === "redirection.applied" ? ended(state, current, event) : turned(state, current, event);
}

function ended(state: State, current: SwitchUnderWay, { subject, time }: EventRecord<"redirection.applied">): State {
  const placement = lastPlacement(state, subject);
  if (subject !== subjects.proxies || placement?.leaves === undefined || state.backend === undefined) return state;
  const { switch: _, ...rest } = state;
  const { mode, failure } = current;
  const backend = placement.on;
  return {
    ...rest,
    backend: { ...state.backend, backend, reason: `switched: ${current.reason}` },
    switched: { mode, backend, time, ...(failure && { failure }) },
  };
}

function turned(state: State, current: SwitchUnderWay, event: EventRecord<"redirection.failed">): State {
  const { subject, time, data } = event;
  const { away } = current;
  const placement = lastPlacement(state, subject);
  const uid = workloadUid(subject);
  const isOfSwitch = placement?.joins === away || (uid !== undefined && placement?.on === away && placement.leaves);
  if (!isOfSwitch || data.attempt < MOST_FAILURES) return state;
  const uids = uid === undefined ? [] : current.uids.filter((other) => other !== uid);
  return {
    ...state,
    switch: { ...current, everything: false, uids, failure: { subject, ...data.error, time } },
  };
}
