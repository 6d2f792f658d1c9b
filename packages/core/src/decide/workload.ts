import type { Workload } from "../backend/contract.ts";
import { addressesOf, interfaceOf, ownerOf } from "../state/queries.ts";
import type { Interface, State } from "../state/state.ts";
import { captureOf } from "./capture.ts";
import { membershipOf } from "./membership.ts";

/** What a workload should have, and why. */
export type WantedWorkload =
  | { readonly kind: "redirect"; readonly spec: Workload; readonly conflicts: readonly AddressConflict[] }
  /** A member that cannot be redirected yet. */
  | { readonly kind: "pending"; readonly reason: string }
  | { readonly kind: "not-member"; readonly reason: string }
  | { readonly kind: "unknown"; readonly reason: string; readonly final: boolean };

/** An address that this pod claims and another one has. */
export interface AddressConflict {
  readonly address: string;
  /** UID of the pod that has it. */
  readonly owner: string;
}

export function wantedWorkload(state: State, uid: string): WantedWorkload {
  const membership = membershipOf(state, uid);
  if (membership.kind !== "member") return membership;
  const pod = state.pods.get(uid);
  const found = interfaceOf(state, uid);
  if (pod === undefined || found === undefined) return { kind: "pending", reason: "no interface" };
  const addresses = addressesOf(state, uid);
  if (addresses.length === 0) return { kind: "pending", reason: "no address" };
  const conflicts = conflictsOf(state, uid);
  const capture = captureOf(pod.annotations, state.agent?.config.dnsCapture ?? false);
  const spec: Workload = {
    uid,
    namespace: pod.namespace,
    name: pod.name,
    addresses: addresses.filter((address) => !conflicts.some((conflict) => conflict.address === address)),
    interface: podInterface(found),
    enrolExisting: state.agent?.config.enrolExisting ?? "drain",
    dnsCapture: capture.dnsCapture,
    exclusions: capture.exclusions,
    ...(capture.acceleration && { acceleration: true }),
  };
  return { kind: "redirect", spec, conflicts };
}

export function conflictsOf(state: State, uid: string): AddressConflict[] {
  return addressesOf(state, uid).flatMap((address) => {
    const owner = ownerOf(state, address);
    return owner === undefined || owner === uid ? [] : [{ address, owner }];
  });
}

export function podInterface(found: Interface): Workload["interface"] {
  return {
    netns: found.netns,
    netnsInode: found.netnsInode,
    name: found.ifName,
    mac: found.mac,
    hostName: found.hostIfName,
    hostIndex: found.hostIfIndex,
  };
}
