import { errorMessage } from "@millrace/core/internal";
import { type Address, addresses, type Link, links, netnsId, openNetns } from "linux-ts";
import { WatcherError } from "../errors.ts";
import type { NodeLinks } from "./node-view.ts";

/** One pod's network namespace, as the kernel had it at one moment. Holds no file descriptor. */
export interface PodNetns {
  readonly path: string;
  readonly inode: number;
  /** The number by which the node's namespace knows this one (`IFLA_LINK_NETNSID` on the node's veth ends). */
  readonly idInNode: number | undefined;
  readonly links: readonly Link[];
  readonly addresses: readonly Address[];
}

/**
 * Reads a pod's network namespace.
 * @throws {WatcherError} `ERR_NETNS_GONE`, or `ERR_NETNS_IS_NODE` when the path leads to the node's own namespace.
 */
export function readPodNetns(path: string, node: Pick<NodeLinks, "netns">): PodNetns {
  try {
    using netns = openNetns(path);
    if (netns.inode === node.netns.inode)
      throw new WatcherError("ERR_NETNS_IS_NODE", `${path} is the node's own network namespace, not a pod's`);
    return {
      path,
      inode: netns.inode,
      idInNode: netnsId(netns.fd, { from: node.netns.fd }),
      links: links(netns.fd),
      addresses: addresses(netns.fd),
    };
  } catch (cause) {
    if (cause instanceof WatcherError) throw cause;
    const message = `cannot read the network namespace ${path}: ${errorMessage(cause)}; it may have ended, see that the sandbox still runs`;
    throw new WatcherError("ERR_NETNS_GONE", message, { cause });
  }
}

/** The addresses of one interface that other hosts can reach: link-local and loopback ones are left out. */
export function reachableAddresses(netns: PodNetns, ifIndex: number): string[] {
  const own = netns.addresses.filter(({ index, scope }) => index === ifIndex && scope !== "link" && scope !== "host");
  return own.map(({ address }) => address).sort();
}
