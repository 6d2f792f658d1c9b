import type { Workload } from "@millrace/core";
import { sortedUnique } from "@millrace/core/internal";
import { EbpfError } from "./errors.ts";

/** A workload's addresses: those it can have, and those another one holds, with that one's uid. */
export interface Claim {
  readonly free: readonly string[];
  readonly taken: ReadonlyMap<string, string>;
}

/** `holderOf`: uid of the workload that has the address now. */
export function claimAddresses(
  { uid, addresses }: Pick<Workload, "uid" | "addresses">,
  holderOf: (address: string) => string | undefined,
): Claim {
  const free: string[] = [];
  const taken = new Map<string, string>();
  for (const address of addresses) {
    const holder = holderOf(address);
    if (holder !== undefined && holder !== uid) taken.set(address, holder);
    else free.push(address);
  }
  return { free, taken };
}

/** A veth is one pod's. Whoever is enrolled on it stays: taking it over would let its connections pass for a moment. */
export function requireFree({ uid, namespace, name, interface: pod }: Workload, holder: string | undefined): void {
  if (holder === undefined || holder === uid) return;
  throw new EbpfError(
    "ERR_INTERFACE_IN_USE",
    `${namespace}/${name}: ${pod.hostName} is the interface of workload ${holder}, which is enrolled; this one is when that one is removed`,
  );
}

export function addressesInUse(workload: Workload, taken: ReadonlyMap<string, string>): EbpfError {
  const holders = sortedUnique(taken.values()).join(", ");
  return new EbpfError(
    "ERR_ADDRESS_IN_USE",
    `${workload.namespace}/${workload.name}: ${[...taken.keys()].join(", ")} belongs to workload ${holders}, which is still enrolled; ` +
      "the other addresses are redirected, this one will be when that workload is removed",
  );
}
