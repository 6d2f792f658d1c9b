import { existsSync } from "node:fs";
import { findNetns } from "@millrace/host";
import { addresses } from "linux-ts";
import { AgentError } from "../errors.ts";
import { type NodeNamespace, NodeNamespaces } from "../kernel/node-namespaces.ts";
import type { Status } from "../status/status-document.ts";

/** A network namespace from which a pod's packets are seen. */
export interface VantagePoint {
  /** Before the colon in names of interfaces: `pod`, `proxy`, `draining`, `node`. */
  readonly role: string;
  /** Whose it is: `shop/web`, or `the node`. */
  readonly of: string;
  readonly namespace: NodeNamespace;
}

type Pod = Pick<Status["workloads"][number], "uid" | "namespace" | "name" | "addresses">;

/** A pod by `namespace/name` or uid, as the agent knows it. Throws `ERR_POD_UNKNOWN`, also for one without addresses. */
export function podOf({ workloads, proxies }: Status, wanted: string): Pod {
  const found = [...workloads, ...proxies].filter(
    ({ uid, namespace, name }) => uid === wanted || `${namespace}/${name}` === wanted,
  );
  // Of several by one name: a pod that is gone has left its addresses to nobody.
  const pod = found.findLast(({ addresses }) => addresses.length > 0);
  if (pod === undefined) {
    const what = found.length === 0 ? `knows no pod ${wanted} on this node` : `knows no address of ${wanted} yet`;
    throw new AgentError("ERR_POD_UNKNOWN", `the agent ${what}`);
  }
  return pod;
}

/** The pod's own namespace, those of the node's proxies, and the node's; open until disposed. Throws `ERR_CAPTURE_NETNS`. */
export async function vantagePoints(
  status: Status,
  pod: Pod,
): Promise<{ readonly points: readonly VantagePoint[] } & Disposable> {
  using stack = new DisposableStack();
  const { all } = stack.use(await NodeNamespaces.open());
  const holds = ({ fd }: NodeNamespace) => new Set(addresses(fd).map(({ address }) => address));
  const byAddress = all.filter(({ isNode }) => !isNode).map((namespace) => ({ namespace, has: holds(namespace) }));
  const find = (wanted: readonly string[]) =>
    byAddress.find(({ has }) => wanted.some((address) => has.has(address)))?.namespace;

  const own = find(pod.addresses);
  if (own === undefined) {
    throw new AgentError(
      "ERR_CAPTURE_NETNS",
      `no network namespace of this node has an address of ${pod.namespace}/${pod.name} (${pod.addresses.join(", ")})`,
    );
  }
  const proxies = status.proxies.flatMap(({ role, namespace, name, addresses }): VantagePoint[] => {
    const at = find(addresses);
    if (at === undefined || at.inode === own.inode) return [];
    return [{ role: role === "active" ? "proxy" : role, of: `${namespace}/${name}`, namespace: at }];
  });
  const node = all.filter(({ isNode }) => isNode).map((namespace) => ({ role: "node", of: "the node", namespace }));
  const points = [...node, { role: "pod", of: `${pod.namespace}/${pod.name}`, namespace: own }, ...proxies];
  const opened = stack.move();
  return { points, [Symbol.dispose]: () => opened.dispose() };
}

/** Whether its pod is gone: only our own descriptors hold the namespace. */
export function isAbandoned({ namespace: { isNode, name, inode } }: VantagePoint): boolean {
  if (isNode) return false;
  using netns = existsSync(name) ? findNetns(name, inode) : undefined;
  return netns === undefined;
}
