import type { Proxies } from "../backend/contract.ts";
import { subjects, workloadUid } from "../events/subjects.ts";
import type { Placement, SwitchUnderWay } from "../events/switch-events.ts";
import { isApplied } from "../state/queries.ts";
import type { Requested, State } from "../state/state.ts";

/**
 * The steps of a switch. Each follows from the placement that was asked for last and from whether that was done, and from nothing else: an
 * agent that starts in the middle goes on there.
 */

/** Where a workload is to be in the end. */
export function targetOf({ home, away, everything, uids }: SwitchUnderWay, uid: string): string {
  return everything || uids.includes(uid) ? away : home;
}

/** Where the subject was asked to be last; undefined where nothing says otherwise than the backend that serves. */
export function lastPlacement(state: State, subject: string): Placement | undefined {
  const requested = state.requested.get(subject);
  return requested && placementOf(requested);
}

export function workloadPlacement(state: State, subject: string, uid: string): Placement | undefined {
  const { switch: current } = state;
  if (current === undefined) return undefined;
  const target = targetOf(current, uid);
  const last = state.requested.get(subject);
  // A new one begins where it is going to be.
  const begin = { on: isReady(state, target) ? target : current.home };
  const now = last?.action === "apply" ? (placementOf(last) ?? { on: current.home }) : begin;
  const next = nextStep(now, target, isApplied(state, subject), isReady(state, target));
  return next.on === current.home && next.joins === undefined && next.leaves === undefined ? undefined : next;
}

function nextStep(now: Placement, target: string, isDone: boolean, isReadyThere: boolean): Placement {
  if (now.on === target) return now.joins === undefined ? now : { on: now.on, leaves: now.joins };
  if (now.joins === target) return isDone ? { on: target, leaves: now.on } : now;
  return isReadyThere ? { on: now.on, joins: target } : now;
}

/** Where the proxies are to be: in both while anything is or goes elsewhere than the rest. */
export function proxiesPlacement(state: State, { draining }: Proxies): Placement | undefined {
  const { switch: current } = state;
  if (current === undefined) return undefined;
  const { home, away, everything, uids } = current;
  const last = lastPlacement(state, subjects.proxies);
  if (!everything && uids.length === 0) {
    // Given up before it began.
    if (last === undefined) return { on: home, leaves: away };
    if (areAllOn(state, current, home)) return { on: home, leaves: away };
  }
  if (everything && last !== undefined && areAllOn(state, current, away)) return { on: away, leaves: home };
  // What a draining proxy has is told from the active one's by what the backend that leaves knows.
  if (last === undefined && draining.length > 0) return undefined;
  return { on: home, joins: away };
}

/** Whether this backend has the node's proxies. */
function isReady(state: State, backend: string): boolean {
  const { switch: current } = state;
  const placement = lastPlacement(state, subjects.proxies);
  if (placement?.joins !== undefined) return isApplied(state, subjects.proxies);
  return backend === (placement?.on ?? current?.home);
}

function areAllOn(state: State, { home }: SwitchUnderWay, backend: string): boolean {
  // On its way in, the backend has nobody.
  if (backend !== home && !isReady(state, backend)) return false;
  return state.requested.every((requested, subject) => {
    if (workloadUid(subject) === undefined || requested.action !== "apply") return true;
    const { on, joins, leaves } = placementOf(requested) ?? { on: home };
    return on === backend && joins === undefined && (leaves === undefined || isApplied(state, subject));
  });
}

function placementOf({ spec }: Requested): Placement | undefined {
  return "placement" in spec ? spec.placement : undefined;
}
