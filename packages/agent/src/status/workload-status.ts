import {
  addressesOf,
  interfaceOf,
  isOnThisNode,
  isProxyPod,
  type Outcome,
  type State,
  subjects,
  type WorkloadObservation,
  wantedWorkload,
  workloadUid,
} from "@millrace/core";
import type { KernelView } from "./kernel-view.ts";
import type { WorkloadState, WorkloadStatus } from "./status-document.ts";

type Judgement = { readonly state: WorkloadState; readonly reason?: string };

/** Every workload of this node: its pods, what was asked for, and what the kernel was seen to hold, known or not. */
export function workloadStatuses(state: State, view: KernelView): WorkloadStatus[] {
  const observed = new Map(view.last?.observation.workloads.map((workload) => [workload.uid, workload]));
  const uids = new Set<string>(observed.keys());
  for (const [uid, pod] of state.pods) if (isOnThisNode(state, pod) && !isProxyPod(state, pod)) uids.add(uid);
  for (const [subject, requested] of state.requested) {
    const uid = workloadUid(subject);
    if (uid !== undefined && requested.action === "apply") uids.add(uid);
  }
  return [...uids].map((uid) => workloadStatus(state, view, uid, observed.get(uid))).sort(byName);
}

function byName(one: WorkloadStatus, other: WorkloadStatus): number {
  const [a, b] = [one, other].map(({ namespace, name, uid }) => `${namespace}/${name}/${uid}`) as [string, string];
  return a < b ? -1 : a > b ? 1 : 0;
}

function workloadStatus(
  state: State,
  view: KernelView,
  uid: string,
  observed: WorkloadObservation | undefined,
): WorkloadStatus {
  const requested = state.requested.get(subjects.workload(uid));
  const outcome = state.outcomes.get(subjects.workload(uid));
  const known = state.pods.get(uid) ?? interfaceOf(state, uid);
  const spec = requested?.action === "apply" ? requested.spec : undefined;
  const agreedAt = view.agreedAt(uid);
  return {
    uid,
    namespace: spec?.namespace ?? known?.namespace ?? "",
    name: spec?.name ?? known?.name ?? "",
    addresses: [...(spec?.addresses ?? (known === undefined ? (observed?.addresses ?? []) : addressesOf(state, uid)))],
    ...(spec === undefined ? notWanted(state, uid, outcome, observed) : wanted(outcome, observed, view.last?.time)),
    ...(spec !== undefined && outcome?.state === "applied" && { since: outcome.time }),
    ...(agreedAt !== undefined && { agreedAt }),
    problems: [...(observed?.problems ?? [])],
    foreign: [...(observed?.foreign ?? [])],
  };
}

const failure = ({ error, attempt }: Outcome): string =>
  `${error?.code ?? "ERR_UNEXPECTED"}: ${error?.message ?? "no reason given"}, attempt ${attempt}`;

/** Asked for: enrolled only when a reading that is younger than the answer found it complete. */
function wanted(
  outcome: Outcome | undefined,
  observed: WorkloadObservation | undefined,
  readAt: string | undefined,
): Judgement {
  if (outcome?.state === "failed") return { state: "failed", reason: failure(outcome) };
  if (outcome === undefined || outcome.state === "pending") {
    return {
      state: "pending",
      reason: outcome?.error === undefined ? "being applied" : `tried again after ${failure(outcome)}`,
    };
  }
  if (readAt === undefined || readAt < outcome.time) return { state: "pending", reason: "applied, not read back yet" };
  if (observed === undefined) return { state: "partial", reason: "the kernel holds nothing of it" };
  return { state: observed.state === "complete" ? "enrolled" : "partial" };
}

/** Not asked for: gone when the kernel was seen without it. */
function notWanted(
  state: State,
  uid: string,
  outcome: Outcome | undefined,
  observed: WorkloadObservation | undefined,
): Judgement {
  if (outcome?.state === "failed") return { state: "failed", reason: `not removed: ${failure(outcome)}` };
  const membership = wantedWorkload(state, uid);
  if (observed !== undefined) return { state: "leaving", ...("reason" in membership && { reason: membership.reason }) };
  switch (membership.kind) {
    case "not-member":
      return { state: "not a member", reason: membership.reason };
    case "redirect":
      return { state: "pending", reason: "to be asked for" };
    case "pending":
      return { state: "pending", reason: discoveryOf(state, uid) ?? membership.reason };
    case "unknown":
      return membership.final
        ? { state: "not a member", reason: membership.reason }
        : { state: "pending", reason: membership.reason };
  }
}

/** Why no interface was found, when that was tried. */
function discoveryOf(state: State, uid: string): string | undefined {
  const attempts = state.discovery.get(uid);
  if (attempts === undefined || interfaceOf(state, uid) !== undefined) return undefined;
  return `no interface found: ${attempts.map(({ method, outcome }) => `${method}: ${outcome}`).join("; ")}`;
}
