import { addAddress, addRoute, link, openNetns, setLinkUp } from "linux-ts";
import { LabError } from "../errors.ts";
import { FAMILIES } from "./addresses.ts";
import type { LabPod } from "./lab-pod.ts";
import type { PodNetwork } from "./pod-network.ts";

/** The loopback interface is the first that a network namespace has (LOOPBACK_IFINDEX, include/net/flow.h). */
const LOOPBACK = 1;
/** RTPROT_BOOT (include/uapi/linux/rtnetlink.h): what ip(8) marks its routes with. */
const PROTOCOL = 3;

/**
 * Configures a pod's namespace, which has its eth0 already: both interfaces up, addresses, routes. Not by a process, because one cannot do it
 * in several namespaces, and three hundred pods are made at once. Throws ERR_LAB_COMMAND when there is no eth0, and LinuxError.
 */
export function attachInside(pod: LabPod, network: PodNetwork): void {
  using netns = openNetns(pod.namespace.path);
  const eth0 = link(netns.fd, "eth0");
  if (eth0 === undefined) throw new LabError("ERR_LAB_COMMAND", `${pod.namespace.name} has no eth0 to configure`);
  setLinkUp(netns.fd, LOOPBACK);
  for (const family of FAMILIES) {
    const address = pod.address(family);
    const prefixLength = network.prefixLengths[family];
    addAddress(netns.fd, { index: eth0.index, address, prefixLength, noDad: true });
  }
  setLinkUp(netns.fd, eth0.index);
  for (const route of network.routes(pod)) {
    addRoute(netns.fd, { ...route, oif: eth0.index, protocol: PROTOCOL });
  }
}
