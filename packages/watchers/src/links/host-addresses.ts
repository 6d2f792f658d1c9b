import { isIPv4 } from "node:net";
import { sortedUnique } from "@millrace/core";
import { type Address, addresses, type Netns } from "linux-ts";

/** Every address that is local to the node, except 127.0.0.0/8 and ::1: sorted, each once. */
export function hostAddresses(netns: Netns): string[] {
  return withoutLoopback(addresses(netns.fd));
}

export function withoutLoopback(list: readonly Pick<Address, "address">[]): string[] {
  const loopback = (address: string) => address === "::1" || (isIPv4(address) && address.startsWith("127."));
  return sortedUnique(list.map(({ address }) => address).filter((address) => !loopback(address)));
}
