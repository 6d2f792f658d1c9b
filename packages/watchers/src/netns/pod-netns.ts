import { errorCode, errorMessage } from "@millrace/core/internal";
import { type Address, addresses, type Link, linkAsync, links, type Netns, netnsId, openNetns } from "linux-ts";
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
    using netns = openPodNetns(path, node);
    return { path, ...factsOf(netns, node), links: links(netns.fd) };
  } catch (cause) {
    throw unreadable(path, cause);
  }
}

/**
 * The same with one link alone, if it is there: asked for on a thread of libuv's pool, because while pods are being made many wait for
 * rtnetlink's lock, and whoever waits here keeps nobody else waiting.
 */
export async function readPodLink(path: string, ifName: string, node: Pick<NodeLinks, "netns">): Promise<PodNetns> {
  try {
    using netns = openPodNetns(path, node);
    const found = await linkAsync(netns.fd, ifName).catch((error: unknown) => {
      // Nor can any link have a name like that.
      if (errorCode(error) === "ERR_INVALID_ARGUMENT") return undefined;
      throw error;
    });
    return { path, ...factsOf(netns, node), links: found === undefined ? [] : [found] };
  } catch (cause) {
    throw unreadable(path, cause);
  }
}

function openPodNetns(path: string, node: Pick<NodeLinks, "netns">): Netns {
  const netns = openNetns(path);
  if (netns.inode !== node.netns.inode) return netns;
  netns[Symbol.dispose]();
  throw new WatcherError("ERR_NETNS_IS_NODE", `${path} is the node's own network namespace, not a pod's`);
}

function factsOf(netns: Netns, node: Pick<NodeLinks, "netns">): Omit<PodNetns, "path" | "links"> {
  const { fd, inode } = netns;
  return { inode, idInNode: netnsId(fd, { from: node.netns.fd }), addresses: addresses(fd) };
}

function unreadable(path: string, cause: unknown): WatcherError {
  if (cause instanceof WatcherError) return cause;
  const message = `cannot read the network namespace ${path}: ${errorMessage(cause)}; it may have ended, see that the sandbox still runs`;
  return new WatcherError("ERR_NETNS_GONE", message, { cause });
}

/** The addresses of one interface that other hosts can reach: link-local and loopback ones are left out. */
export function reachableAddresses(netns: PodNetns, ifIndex: number): string[] {
  const own = netns.addresses.filter(({ index, scope }) => index === ifIndex && scope !== "link" && scope !== "host");
  return own.map(({ address }) => address).sort();
}
