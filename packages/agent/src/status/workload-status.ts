import type { WorkloadObservation } from "@millrace/core";
import {
  type WorkloadStatus as Described,
  describeWorkloads,
  type Outcome,
  type State,
  subjects,
} from "@millrace/core/internal";
import type { KernelView } from "./kernel-view.ts";
import type { WorkloadState, WorkloadStatus } from "./status-document.ts";
import { UNSEEN } from "./unread.ts";

type Judgement = { readonly state: WorkloadState; readonly reason?: string };

/** Every workload of this node, and every redirection that the kernel was seen to hold, known or not. By namespace and name. */
export function workloadStatuses(state: State, view: KernelView): WorkloadStatus[] {
  const observed = new Map(view.workloads().map((workload) => [workload.uid, workload]));
  const known = describeWorkloads(state).map((described) => {
    const found = observed.get(described.uid);
    observed.delete(described.uid);
    return workloadStatus(described, found, view);
  });
  return [...[...observed.values()].map(stray), ...known];
}

/** In the kernel, and nobody knows what it was: a pod that ended while no agent ran. */
function stray({ uid, addresses, problems, foreign }: WorkloadObservation): WorkloadStatus {
  const reason = "left by an earlier run, of a pod that has not been seen";
  return {
    uid,
    namespace: "",
    name: "",
    addresses: [...addresses],
    state: "leaving",
    reason,
    problems: [...problems],
    foreign: [...foreign],
  };
}

function workloadStatus(
  described: Described,
  observed: WorkloadObservation | undefined,
  view: KernelView,
): WorkloadStatus {
  const { uid, namespace, name, addresses, outcome, requested, problems } = described;
  const agreedAt = view.agreedAt(uid);
  return {
    uid,
    namespace,
    name,
    addresses: [...addresses],
    ...(requested === "apply" ? wanted(described, observed, view) : notWanted(described, observed)),
    ...(requested === "apply" && outcome?.state === "applied" && { since: outcome.time }),
    ...(agreedAt !== undefined && { agreedAt }),
    problems: [...new Set([...problems, ...(observed?.problems ?? [])])],
    foreign: [...(observed?.foreign ?? [])],
  };
}

/** What {@link failure} ends with: for who says the same again for every attempt. */
export const ATTEMPT = /, attempt \d+$/;

const failure = ({ error, attempt }: Outcome): string =>
  `${error?.code ?? "ERR_UNEXPECTED"}: ${error?.message ?? "no reason given"}, attempt ${attempt}`;

/** Asked for: enrolled only when a reading that began after the answer found it complete, and none has failed since. */
function wanted(
  { uid, outcome, carried }: Described,
  observed: WorkloadObservation | undefined,
  view: KernelView,
): Judgement {
  if (carried) return { state: "pending", reason: "held from an earlier run until its pod is seen again" };
  if (outcome?.state === "failed") return { state: "failed", reason: failure(outcome) };
  if (outcome === undefined || outcome.state === "pending") {
    const reason = outcome?.error === undefined ? "being applied" : `tried again after ${failure(outcome)}`;
    return { state: "pending", reason };
  }
  if (!view.hasReadBack(subjects.workload(uid), outcome))
    return { state: "pending", reason: "applied, not read back yet" };
  if (!view.isSeen(uid)) return { state: "unseen", reason: UNSEEN };
  if (observed === undefined) return { state: "partial", reason: "the kernel holds nothing of it" };
  if (observed.state === "complete") return { state: "enrolled" };
  const shadows = observed.foreign.map(({ kind, where, owner }) => `shadowed by the ${kind} of ${owner} at ${where}`);
  return { state: "partial", ...(shadows.length > 0 && { reason: shadows.join(", ") }) };
}

/** Not asked for: gone once the kernel was seen without it. */
function notWanted({ outcome, membership, reason }: Described, observed: WorkloadObservation | undefined): Judgement {
  if (outcome?.state === "failed") return { state: "failed", reason: `not removed: ${failure(outcome)}` };
  const because = reason !== undefined && { reason };
  if (observed !== undefined || outcome?.state === "pending") return { state: "leaving", ...because };
  if (membership === "member") return { state: "pending", reason: "to be asked for" };
  return { state: membership === "not-member" ? "not a member" : "pending", ...because };
}
