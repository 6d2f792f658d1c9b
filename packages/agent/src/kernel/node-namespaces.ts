import { DEFAULT_NETNS_DIRECTORIES, listNetns } from "@millrace/watchers";
import { currentNetns, links, type Netns, netnsId, openNetns } from "linux-ts";

/** A network namespace of this node, open. */
export interface NodeNamespace {
  readonly isNode: boolean;
  /** Undefined: the node's own. */
  readonly fd: number | undefined;
  readonly inode: number;
  /** `node`, or the path by which it was found. */
  readonly name: string;
}

/** The node's own namespace and those of its pods, open until this is disposed. */
export class NodeNamespaces implements Disposable {
  readonly all: readonly NodeNamespace[];
  readonly #opened: DisposableStack;

  private constructor(all: readonly NodeNamespace[], opened: DisposableStack) {
    this.all = all;
    this.#opened = opened;
  }

  /**
   * A namespace is this node's when a veth of the node ends in it: where several nodes are containers of one machine (kind) the others'
   * are seen too. One that no veth leads to any more redirects nothing, and what is in it ends with it.
   */
  static async open(): Promise<NodeNamespaces> {
    using opened = new DisposableStack();
    const own = opened.use(currentNetns());
    const ids = new Set(links().flatMap(({ kind, peerNetnsId }) => (kind === "veth" ? (peerNetnsId ?? []) : [])));
    const files = await listNetns({ netnsDirectories: DEFAULT_NETNS_DIRECTORIES, procfs: "/proc" });
    const pods = files
      .filter(({ inode }) => inode !== own.inode)
      .flatMap(({ path }): NodeNamespace[] => {
        const netns = openIfThere(path);
        if (netns === undefined) return [];
        const id = netnsId(netns.fd);
        if (id === undefined || !ids.has(id)) {
          netns[Symbol.dispose]();
          return [];
        }
        opened.use(netns);
        return [{ isNode: false, fd: netns.fd, inode: netns.inode, name: path }];
      });
    const node: NodeNamespace = { isNode: true, fd: undefined, inode: own.inode, name: "node" };
    return new NodeNamespaces([node, ...pods], opened.move());
  }

  [Symbol.dispose](): void {
    this.#opened[Symbol.dispose]();
  }
}

/** A process ends, a mount goes: with it the namespace may be gone. */
function openIfThere(path: string): Netns | undefined {
  try {
    return openNetns(path);
  } catch (error) {
    if (["ENOENT", "ESRCH", "ERR_NOT_A_NETNS"].includes((error as { code?: string }).code ?? "")) return undefined;
    throw error;
  }
}
