import { wantedWorkload } from "../decide/workload.ts";
import { subjects } from "../events/subjects.ts";
import { isApplied } from "../state/queries.ts";
import type { State } from "../state/state.ts";

/** What became of a pod that somebody waits for. */
export type Enrolment =
  /** Its first packet would be captured. */
  | { readonly kind: "applied" }
  | { readonly kind: "not-member"; readonly reason: string }
  /** The deadline passed, and the last try had failed. */
  | {
      readonly kind: "failed";
      readonly error: { readonly code: string; readonly message: string };
      readonly attempts: number;
    }
  /** The deadline passed while waiting for `reason`. */
  | { readonly kind: "deadline"; readonly reason: string };

/** The answer as far as it is certain; undefined while it is not. A failure is tried again, so it is no answer before the deadline. */
export function enrolmentOf(state: State, uid: string): Enrolment | undefined {
  const wanted = wantedWorkload(state, uid);
  if (wanted.kind === "not-member") return { kind: "not-member", reason: wanted.reason };
  return isApplied(state, subjects.workload(uid)) ? { kind: "applied" } : undefined;
}

export function enrolmentAtDeadline(state: State, uid: string): Enrolment {
  const certain = enrolmentOf(state, uid);
  if (certain !== undefined) return certain;
  const outcome = state.outcomes.get(subjects.workload(uid));
  if (outcome?.error !== undefined) return { kind: "failed", error: outcome.error, attempts: outcome.attempt };
  const wanted = wantedWorkload(state, uid);
  return { kind: "deadline", reason: "reason" in wanted ? wanted.reason : "the backend has not answered" };
}
