import type { Observation, WorkloadObservation, WorkloadUid } from "../backend/contract.ts";
import type { State } from "../state/state.ts";

/** One reading of the kernel, from when it begins. It is told one of the two, once. */
export interface Reading<Found> {
  /** It ended well, with this. `state`: what is known by now. */
  ended(found: Found, state: State): void;
  /** It failed. Nothing is known of what it was to read. */
  failed(error: unknown): void;
}

/**
 * Is told of every reading when it begins: what it shows came after all that was known then. Their order is the order of these calls, and
 * needs no clock.
 */
export interface Readings {
  /** Of everything. `state`: what is known when it begins. */
  begin(state: State): Reading<Observation>;
  /** Of these workloads alone. */
  beginWorkloads(state: State, uids: ReadonlySet<WorkloadUid>): Reading<readonly WorkloadObservation[]>;
}
