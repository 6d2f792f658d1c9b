import { canonicalJson } from "../events/canonical-json.ts";
import type { EventRecord } from "../events/event.ts";
import type { Outcome, Requested, State } from "./state.ts";

export function redirectionRequested(state: State, event: EventRecord<"redirection.requested">): State {
  const { seq, time, subject, data } = event;
  const canonical = canonicalJson(data.spec);
  const before = state.requested.get(subject);
  const same = before?.action === data.action && before.canonical === canonical;
  const last = same ? state.outcomes.get(subject) : undefined;
  const pending: Outcome = {
    state: "pending",
    generation: seq,
    attempt: last?.attempt ?? 0,
    ...(last?.error && { error: last.error }),
    time,
  };
  return {
    ...state,
    requested: state.requested.set(subject, {
      action: data.action,
      spec: data.spec,
      canonical,
      seq,
      time,
    } as Requested),
    outcomes: state.outcomes.set(subject, pending),
    carried: state.carried.remove(subject),
    again: state.again.remove(subject),
  };
}

export function redirectionOutcome(
  state: State,
  { time, subject, type, data }: EventRecord<"redirection.applied" | "redirection.failed">,
): State {
  if (isStale(state, subject, data.generation)) return state;
  const { generation, attempt, durationMs } = data;
  const outcome: Outcome =
    type === "redirection.applied"
      ? { state: "applied", generation, attempt, durationMs, time }
      : { state: "failed", generation, attempt, durationMs, error: data.error, time };
  return { ...state, outcomes: state.outcomes.set(subject, outcome) };
}

/** Nothing is left to remember, so that pods that are gone leave no trace in the state. Drift stays until an observation mends it. */
export function redirectionRemoved(state: State, { subject, data }: EventRecord<"redirection.removed">): State {
  if (isStale(state, subject, data.generation)) return state;
  return {
    ...state,
    requested: state.requested.remove(subject),
    outcomes: state.outcomes.remove(subject),
    again: state.again.remove(subject),
  };
}

export function driftFound(state: State, { subject, data }: EventRecord<"drift.found">): State {
  return askAgain({ ...state, drift: state.drift.set(subject, data.problems) }, subject);
}

/** Of what is not asked for any more, there is nothing to try again. */
export function retryDue(state: State, subject: string): State {
  return state.requested.has(subject) ? askAgain(state, subject) : state;
}

function askAgain(state: State, subject: string): State {
  return { ...state, again: state.again.add(subject) };
}

/** An outcome of an intent that a later one has replaced says nothing about the later one. */
function isStale(state: State, subject: string, generation: number): boolean {
  return state.requested.get(subject)?.seq !== generation;
}
