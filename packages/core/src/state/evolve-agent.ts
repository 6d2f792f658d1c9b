import { Set as ImmutableSet } from "immutable";
import type { EventRecord } from "../events/event.ts";
import { requestedProxies } from "./queries.ts";
import { forget, memoryOf, recall } from "./recall.ts";
import { initialState, type State } from "./state.ts";

/**
 * A new run. What the last one had seen is old news (pods, interfaces and indices may all be others after a reboot) and is told anew,
 * or recalled where nobody can tell it; what it had asked for is carried over, because redirections outlive the agent.
 */
export function agentStarted(state: State, { data, time }: EventRecord<"agent.started">): State {
  return {
    ...initialState,
    agent: { ...data, startedAt: time },
    remembered: memoryOf(state),
    ...(state.switch && { switch: state.switch }),
    ...(state.switched && { switched: state.switched }),
    requested: state.requested,
    carried: state.requested.keySeq().toSet(),
    carriedProxies: ImmutableSet(requestedProxies(state).map(({ uid }) => uid)),
  };
}

export function agentStopped(state: State, { data, time }: EventRecord<"agent.stopped">): State {
  if (state.agent === undefined) return state;
  return { ...state, agent: { ...state.agent, stopped: { reason: data.reason, time } } };
}

export function watchSynced(state: State, { data, time }: EventRecord<"watch.synced">): State {
  const known = isListed(state, data.watch) ? state : forget(state, data.watch);
  return { ...known, watches: state.watches.set(data.watch, { state: "synced", listed: true, time }) };
}

/** Decisions go on with what was seen last: by this run or, before its first list, by the one before it. */
export function watchLost(state: State, { data, time }: EventRecord<"watch.lost">): State {
  const listed = isListed(state, data.watch);
  const known = listed ? state : recall(state, data.watch);
  return { ...known, watches: state.watches.set(data.watch, { state: "lost", listed, reason: data.reason, time }) };
}

function isListed(state: State, watch: string): boolean {
  return state.watches.get(watch)?.listed ?? false;
}
