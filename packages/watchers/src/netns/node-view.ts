import { currentNetns, type Link, link, linkAsync, links, type Netns, openNetns, type Route, routes } from "linux-ts";

/** `RT_TABLE_MAIN`, include/uapi/linux/rtnetlink.h. */
const MAIN_TABLE = 254;

/** How to reach the node's network namespace; absent means the one this process runs in. */
export interface NodeNetns {
  /** A file of that namespace, for instance `/proc/1/ns/net` when the agent's own container does not use hostNetwork. */
  readonly nodeNetns?: string;
}

export function openNodeNetns({ nodeNetns }: NodeNetns): Netns {
  return nodeNetns === undefined ? currentNetns() : openNetns(nodeNetns);
}

/** The node's links. */
export interface NodeLinks {
  readonly netns: Netns;
  link(index: number): Link | undefined;
}

/** Asks the kernel for each link that is asked for: for one pod, when a list would be one of all pods' links. */
export const askNode = (netns: Netns): NodeLinks => ({ netns, link: (index) => link(netns.fd, index) });

/** One of the node's links, asked for on a thread of libuv's pool: see `readPodLink`. */
export async function readNodeLink(netns: Netns, index: number | undefined): Promise<NodeLinks> {
  const found = index === undefined ? undefined : await linkAsync(netns.fd, index);
  return { netns, link: (wanted) => (wanted === index ? found : undefined) };
}

/** The node's side of every veth pair, as the kernel had it at one moment. */
export interface NodeView extends NodeLinks {
  /** The main routing table, both families. Read on first use. */
  readonly mainRoutes: readonly Route[];
}

export function viewNode(netns: Netns): NodeView {
  const byIndex = new Map(links(netns.fd).map((link) => [link.index, link]));
  let main: readonly Route[] | undefined;
  return {
    netns,
    link: (index) => byIndex.get(index),
    get mainRoutes() {
      main ??= routes(netns.fd, { table: MAIN_TABLE });
      return main;
    },
  };
}
