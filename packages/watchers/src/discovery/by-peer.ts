import type { Link } from "linux-ts";
import { WatcherError } from "../errors.ts";
import type { PodNetns } from "../netns/pod-netns.ts";
import { findVethPair, type VethPair } from "../netns/veth-pair.ts";
import type { DiscoveryPass } from "./discovery-pass.ts";
import { interfaceWithOneOf, NotFound } from "./method.ts";
import type { WantedPod } from "./wanted-pod.ts";

interface Holder {
  readonly netns: PodNetns;
  readonly inner: Link;
}

/**
 * Bridged CNIs have no route per pod: look into every network namespace for the pod's addresses, then out through the veth pair. One whose
 * veth ends elsewhere is of no pod of this node, as where several nodes are containers of one machine (kind).
 */
export async function findByPeer(pod: WantedPod, pass: DiscoveryPass): Promise<VethPair> {
  const wanted = new Set(pod.addresses);
  const holders = (await pass.podNetns()).flatMap((netns) => {
    const inner = interfaceWithOneOf(netns, wanted);
    return inner === undefined ? [] : [{ netns, inner }];
  });
  const [only] = holders;
  if (only === undefined) throw new NotFound("no network namespace holds one of its addresses");
  if (holders.length === 1) return findVethPair(only.inner, only.netns, pass.node);
  const [pair, second] = holders.flatMap((holder) => pairHere(holder, pass) ?? []);
  if (pair !== undefined && second === undefined) return pair;
  const paths = holders.map(({ netns }) => netns.path).sort();
  const where = pair === undefined ? ", none of them with a veth of this node" : "";
  throw new NotFound(`${paths.length} network namespaces hold its addresses${where}: ${paths.join(", ")}`);
}

function pairHere({ inner, netns }: Holder, { node }: DiscoveryPass): VethPair | undefined {
  try {
    return findVethPair(inner, netns, node);
  } catch (error) {
    if (error instanceof WatcherError) return undefined;
    throw error;
  }
}
