import { join } from "node:path";
import { readPodNetns } from "../netns/pod-netns.ts";
import { findVethPair, type VethPair } from "../netns/veth-pair.ts";
import type { DiscoveryPass } from "./discovery-pass.ts";
import { interfaceWithOneOf, NotFound } from "./method.ts";
import { belongsToPod } from "./pod-processes.ts";
import type { WantedPod } from "./wanted-pod.ts";

/** The kubelet puts the pod's uid into the cgroup path of its processes: the surest identity, and the dearest to look up. */
export async function findByProcess(pod: WantedPod, pass: DiscoveryPass): Promise<VethPair> {
  const oldest = (await pass.podProcesses()).find((process) => belongsToPod(process, pod.uid));
  if (oldest === undefined) throw new NotFound("no process is in a cgroup of its uid");

  const ofProcess = readPodNetns(join(pass.places.procfs, String(oldest.pid), "ns/net"), pass.node);
  // The runtime's bind mount of the same namespace, where there is one, outlives the process.
  const netns = (await pass.podNetns()).find(({ inode }) => inode === ofProcess.inode) ?? ofProcess;
  const inner = interfaceWithOneOf(netns, new Set(pod.addresses));
  if (inner === undefined)
    throw new NotFound("the network namespace of its oldest process holds none of its addresses");
  return findVethPair(inner, netns, pass.node);
}
