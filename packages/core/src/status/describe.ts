import { captureOf } from "../decide/capture.ts";
import { wantedProxies } from "../decide/proxies.ts";
import { type AddressConflict, conflictsOf, wantedWorkload } from "../decide/workload.ts";
import { byCodeUnit } from "../events/address.ts";
import { subjects } from "../events/subjects.ts";
import { addressesOf, interfaceOf } from "../state/queries.ts";
import type { Interface, Outcome, State } from "../state/state.ts";

/** One pod of this node as `millrace status` shows it. */
export interface WorkloadStatus {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  readonly addresses: readonly string[];
  /** `member`: to be redirected. `pending`: a member that cannot be yet. `not-member`, `unknown`: see `reason`. */
  readonly membership: "member" | "pending" | "not-member" | "unknown";
  /** Why it is not redirected; absent for members. */
  readonly reason?: string;
  readonly interface?: Interface;
  /** What was last asked for; absent when nothing was. */
  readonly requested?: "apply" | "remove";
  readonly outcome?: Outcome;
  /** An earlier run asked for it; this one has not seen enough to confirm or undo it. */
  readonly carried: boolean;
  /** Annotations that cannot be read, address conflicts, drift and failed discovery, one phrase each. */
  readonly problems: readonly string[];
}

/** Every pod on this node and every redirection that was asked for, by namespace and name. Reads all of the state: not for decisions. */
export function describeWorkloads(state: State): WorkloadStatus[] {
  const uids = new Set<string>();
  for (const [uid, pod] of state.pods) if (pod.nodeName === state.agent?.node) uids.add(uid);
  for (const { uid } of state.interfaces.values()) uids.add(uid);
  for (const requested of state.requested.values()) if ("uid" in requested.spec) uids.add(requested.spec.uid);
  return [...uids]
    .map((uid) => describeWorkload(state, uid))
    .sort((a, b) => byCodeUnit(a.namespace, b.namespace) || byCodeUnit(a.name, b.name) || byCodeUnit(a.uid, b.uid));
}

export function describeWorkload(state: State, uid: string): WorkloadStatus {
  const subject = subjects.workload(uid);
  const requested = state.requested.get(subject);
  const found = interfaceOf(state, uid);
  const outcome = state.outcomes.get(subject);
  const wanted = wantedWorkload(state, uid);
  const isMember = wanted.kind === "redirect" || wanted.kind === "pending";
  const named = state.pods.get(uid) ?? found ?? (requested?.action === "apply" ? requested.spec : undefined);
  return {
    uid,
    namespace: named?.namespace ?? "",
    name: named?.name ?? "",
    addresses: addressesOf(state, uid),
    membership: wanted.kind === "redirect" ? "member" : wanted.kind,
    ...("reason" in wanted && { reason: wanted.reason }),
    ...(found && { interface: found }),
    ...((requested?.action === "apply" || requested?.action === "remove") && { requested: requested.action }),
    ...(outcome && { outcome }),
    carried: state.carried.has(subject),
    problems: [
      ...(isMember ? captureOf(state.pods.get(uid)?.annotations ?? {}, false).problems : []),
      ...conflictsOf(state, uid).map((conflict) => describeConflict(state, conflict)),
      ...(state.drift.get(subject) ?? []),
      ...(state.discovery.get(uid) ?? []).map(({ method, outcome: how }) => `no interface found by ${method}: ${how}`),
    ],
  };
}

/** What is wrong with the node proxies, one phrase each. */
export function describeProxyProblems(state: State): string[] {
  return [...wantedProxies(state).problems, ...(state.drift.get(subjects.proxies) ?? [])];
}

function describeConflict(state: State, { address, owner }: AddressConflict): string {
  const pod = state.pods.get(owner) ?? interfaceOf(state, owner);
  return `address ${address} is also claimed by ${pod === undefined ? owner : `${pod.namespace}/${pod.name}`}, which has it`;
}
