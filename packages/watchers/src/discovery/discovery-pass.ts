import { errorMessage } from "@millrace/core/internal";
import type { Netns } from "linux-ts";
import { type NodeView, viewNode } from "../netns/node-view.ts";
import { type PodNetns, readPodNetns } from "../netns/pod-netns.ts";
import { listNetns } from "./list-netns.ts";
import { listPodProcesses, type PodProcess } from "./pod-processes.ts";

/** Where to look. Each is injectable, so that an agent in a container looks at the host's. */
export interface DiscoveryPlaces {
  /** Mount point of the host's procfs. */
  readonly procfs: string;
  /** Directories of bind-mounted network namespaces, in order of preference for the path that is reported. */
  readonly netnsDirectories: readonly string[];
}

/**
 * What one pass of discovery knows. All methods and all pods of a pass share it, so that each namespace is read once and each
 * part of `/proc` is walked at most once, however many pods are sought.
 */
export interface DiscoveryPass {
  readonly node: NodeView;
  /** Every network namespace that can be found and read, but the node's own; each once, by inode. */
  podNetns(): Promise<readonly PodNetns[]>;
  /** Every process whose cgroup belongs to a pod. */
  podProcesses(): Promise<readonly PodProcess[]>;
  readonly places: DiscoveryPlaces;
}

export function beginPass(
  nodeNetns: Netns,
  places: DiscoveryPlaces,
  unreadable: (path: string, reason: string) => void,
): DiscoveryPass {
  const node = viewNode(nodeNetns);
  let netns: Promise<readonly PodNetns[]> | undefined;
  let processes: Promise<readonly PodProcess[]> | undefined;

  async function readAll(): Promise<readonly PodNetns[]> {
    const found: PodNetns[] = [];
    for (const { path } of await listNetns(places)) {
      try {
        found.push(readPodNetns(path, node));
      } catch (error) {
        // The node's own, and those that ended while we walked; the one that is sought then is a failed attempt of its method.
        unreadable(path, errorMessage(error));
      }
    }
    return found;
  }

  return {
    node,
    places,
    podNetns: () => (netns ??= readAll()),
    podProcesses: () => (processes ??= listPodProcesses(places.procfs)),
  };
}
