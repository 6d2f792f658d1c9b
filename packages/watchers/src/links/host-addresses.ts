import { isIPv4 } from "node:net";
import { sortedUnique } from "@millrace/core/internal";
import type { Address, Link } from "linux-ts";

/**
 * Every address that is local to the node, except 127.0.0.0/8 and ::1. Kept up to date by what the kernel tells: every pod's host interface
 * has addresses that come and go with it, and to list them all for each would be to list all pods'.
 */
export class HostAddresses {
  readonly #addresses = new Map<string, Address>();

  /** Takes these for all there are. */
  reset(addresses: readonly Address[]): void {
    this.#addresses.clear();
    for (const address of addresses) this.set(address);
  }

  set(address: Address): void {
    this.#addresses.set(keyOf(address), address);
  }

  remove(address: Address): void {
    this.#addresses.delete(keyOf(address));
  }

  /** A link's addresses go with it. */
  removeLink({ index }: Pick<Link, "index">): void {
    for (const [key, address] of this.#addresses) if (address.index === index) this.#addresses.delete(key);
  }

  /** Sorted, each once. */
  list(): string[] {
    return withoutLoopback([...this.#addresses.values()]);
  }
}

/** A link may have an address with several lengths, and for several peers. */
const keyOf = ({ index, address, prefixLength, peer }: Address): string =>
  [index, address, prefixLength, peer].join(" ");

export function withoutLoopback(list: readonly Pick<Address, "address">[]): string[] {
  const loopback = (address: string) => address === "::1" || (isIPv4(address) && address.startsWith("127."));
  return sortedUnique(list.map(({ address }) => address).filter((address) => !loopback(address)));
}
