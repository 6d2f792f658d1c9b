import { currentNetns, type Link, links, type Netns, openNetns, type Route, routes } from "linux-ts";

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

/** The node's side of every veth pair, as the kernel had it at one moment. */
export interface NodeView {
  readonly netns: Netns;
  readonly links: ReadonlyMap<number, Link>;
  /** The main routing table, both families. Read on first use. */
  readonly mainRoutes: readonly Route[];
}

export function viewNode(netns: Netns): NodeView {
  const byIndex = new Map(links(netns.fd).map((link) => [link.index, link]));
  let main: readonly Route[] | undefined;
  return {
    netns,
    links: byIndex,
    get mainRoutes() {
      main ??= routes(netns.fd, { table: MAIN_TABLE });
      return main;
    },
  };
}
