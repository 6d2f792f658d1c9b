import type { Workload } from "@millrace/core";
import { sortedUnique } from "@millrace/core/internal";
import { requireHostLink, requireNetns } from "@millrace/host";
import { links } from "linux-ts";
import { memberPort } from "./bridge-of.ts";
import type { BridgePort } from "./bridge-ports.ts";
import { IptablesError } from "./errors.ts";
import { addressOf, isSameEntry, type MemberEntry, occupies, wantedEntries } from "./members.ts";
import type { NodeContext } from "./node-context.ts";
import { deviceOf } from "./proxy-slots.ts";

/** What has to be done for one workload. */
export interface Plan {
  readonly workload: Workload;
  /** Addresses that it can have. */
  readonly free: readonly string[];
  /** Those that another one holds, with that one. */
  readonly taken: ReadonlyMap<string, string>;
  readonly wanted: readonly MemberEntry[];
  readonly present: readonly MemberEntry[];
  /** What others have left of addresses that are this one's now. */
  readonly left: readonly MemberEntry[];
  /** Where it hangs on a bridge. */
  readonly port: BridgePort | undefined;
}

/**
 * Throws `ERR_INTERFACE_GONE`, `ERR_INTERFACE_IN_USE`, `ERR_BRIDGE`. `entries`: without those of interfaces that are gone, which are in nobody's way.
 */
export function planOf(
  { families }: Pick<NodeContext, "families">,
  workload: Workload,
  entries: readonly MemberEntry[],
): Plan {
  const { interface: pod, uid } = workload;
  requireNetns(pod)[Symbol.dispose]();
  requireHostLink(pod);
  requireFree(workload, entries);
  const { free, taken } = claim(workload, entries);
  const wanted = wantedEntries(workload, free, { device: deviceOf(pod.hostIndex, pod.hostName), families });
  const present = entries.filter((entry) => entry.uid === uid);
  const left = entries.filter((entry) => entry.uid !== uid && free.includes(addressOf(entry)));
  return { workload, free, taken, wanted, present, left, port: memberPort(workload) };
}

/** Entries of interfaces that are gone. Who has their address now, or the name of their interface, is somebody else. */
export function staleEntries(entries: readonly MemberEntry[]): MemberEntry[] {
  const there = new Set(links().map(({ index }) => index));
  return entries.filter(({ hostIndex }) => !there.has(hostIndex));
}

/** Entries that one is to have no longer, but for those that are replaced by what is wanted. */
export function leavingOf({ wanted, present }: Pick<Plan, "wanted" | "present">): MemberEntry[] {
  const addresses = wanted.filter(({ role }) => role === "to").map(addressOf);
  return present.filter((entry) =>
    // Who settles is not wanted, but goes on as long as it has the address.
    entry.role === "settling" ? !addresses.includes(entry.element) : !wanted.some((other) => occupies(entry, other)),
  );
}

/** Lines for ipset(8) are wanted for these only. */
export const missingOf = ({ wanted }: Pick<Plan, "wanted">, entries: readonly MemberEntry[]): MemberEntry[] =>
  wanted.filter((entry) => !entries.some((other) => isSameEntry(entry, other)));

/** Splits the workload's addresses into those it can have, and those another one holds, with that one. */
function claim(workload: Workload, entries: readonly MemberEntry[]): { free: string[]; taken: Map<string, string> } {
  const others = entries.filter(({ role, uid }) => role === "to" && uid !== workload.uid);
  const holders = new Map(others.map(({ element, uid }) => [element, uid]));
  const free: string[] = [];
  const taken = new Map<string, string>();
  for (const address of workload.addresses) {
    const holder = holders.get(address);
    if (holder === undefined) free.push(address);
    else taken.set(address, holder);
  }
  return { free, taken };
}

/** A veth is one pod's. Whoever is enrolled on it stays. */
function requireFree({ uid, namespace, name, interface: pod }: Workload, entries: readonly MemberEntry[]): void {
  const holder = entries.find((entry) => entry.hostIndex === pod.hostIndex && entry.uid !== uid);
  if (holder === undefined) return;
  throw new IptablesError(
    "ERR_INTERFACE_IN_USE",
    `${namespace}/${name}: ${pod.hostName} is the interface of workload ${holder.uid}, which is enrolled; this one is when that one is removed`,
  );
}

export function addressesInUse({ workload, taken }: Plan): IptablesError {
  const holders = sortedUnique(taken.values()).join(", ");
  return new IptablesError(
    "ERR_ADDRESS_IN_USE",
    `${workload.namespace}/${workload.name}: ${[...taken.keys()].join(", ")} belongs to workload ${holders}, which is still enrolled; ` +
      "the other addresses are redirected, this one will be when that workload is removed",
  );
}
