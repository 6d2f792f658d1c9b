import { addAddress, addRoute, link, openNetns, setLinkUp, writeSysctl } from "linux-ts";

/** The loopback interface is the first that a network namespace has (LOOPBACK_IFINDEX, include/net/flow.h). */
const LOOPBACK = 1;

/** A pod's two addresses. */
export interface PodAddresses {
  readonly ipv4: string;
  readonly ipv6: string;
}

/**
 * Configures a pod's namespace, which has its eth0 already: both interfaces up, no link-local address, addresses, and routes by `gateway` and fe80::1. Not by a
 * process, because there are thousands of pods. Throws Error where there is no eth0, and LinuxError.
 */
export function attachInside(path: string, gateway: string, { ipv4, ipv6 }: PodAddresses): void {
  using netns = openNetns(path);
  const eth0 = link(netns.fd, "eth0");
  if (eth0 === undefined) throw new Error(`${path} has no eth0 to configure`);
  const { index } = eth0;
  setLinkUp(netns.fd, LOOPBACK);
  // IN6_ADDR_GEN_MODE_NONE (include/uapi/linux/if_link.h)
  writeSysctl(netns.fd, "net/ipv6/conf/eth0/addr_gen_mode", 1);
  setLinkUp(netns.fd, index);
  addAddress(netns.fd, { index, address: ipv4, prefixLength: 32 });
  addAddress(netns.fd, { index, address: ipv6, prefixLength: 128, noDad: true });
  for (const route of [
    { dst: gateway },
    { dst: "0.0.0.0/0", gateway },
    { dst: "fe80::1" },
    { dst: "::/0", gateway: "fe80::1" },
  ]) {
    addRoute(netns.fd, { ...route, oif: index });
  }
}
