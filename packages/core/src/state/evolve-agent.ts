import { Set as ImmutableSet } from "immutable";
import type { EventRecord } from "../events/event.ts";
import { requestedProxies } from "./queries.ts";
import { initialState, type State } from "./state.ts";

/**
 * A new run. What the last one had seen is old news (pods, interfaces and indices may all be others after a reboot) and is told anew;
 * what it had asked for is carried over, because redirections outlive the agent.
 */
export function agentStarted(state: State, { data, time }: EventRecord<"agent.started">): State {
  return {
    ...initialState,
    agent: { ...data, startedAt: time },
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
  return { ...state, watches: state.watches.set(data.watch, { state: "synced", listed: true, time }) };
}

/** Decisions go on with what was seen last. */
export function watchLost(state: State, { data, time }: EventRecord<"watch.lost">): State {
  const listed = state.watches.get(data.watch)?.listed ?? false;
  return { ...state, watches: state.watches.set(data.watch, { state: "lost", listed, reason: data.reason, time }) };
}
