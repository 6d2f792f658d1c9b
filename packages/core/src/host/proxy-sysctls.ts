import { readSysctl } from "linux-ts";
import { errorCode } from "../errors.ts";
import type { NetnsHandle, SysctlChange } from "./sysctl-journal.ts";

/**
 * Loosens the reverse path filter of an interface where it is strict: the proxy sends with its clients' addresses, which the node
 * routes elsewhere. The kernel takes the larger of `all` and the interface's own value (Documentation/networking/ip-sysctl.rst,
 * rp_filter), so 2 (loose) on the interface is enough and nothing else on the node changes; 0 there would not do.
 */
export function looseReversePath(netns: NetnsHandle, ifName: string): SysctlChange[] {
  const values = ["all", ifName].map((name) => Number(readSysctl(netns.fd, `net/ipv4/conf/${name}/rp_filter`)));
  return Math.max(...values) === 1 ? [{ path: `net/ipv4/conf/${ifName}/rp_filter`, value: "2" }] : [];
}

/**
 * Turns forwarding off in a proxy's namespace, so that a packet which is not for the proxy ends there instead of leaving again past
 * it. Defence in depth: steering drops by itself.
 *
 * IPv4 asks the interface a packet came in by (net/ipv4/route.c, ip_route_input_slow(), IN_DEV_FORWARD), so only that one is changed:
 * writing `all` would reset accept_redirects as well (net/ipv4/devinet.c, inet_forward_change()). IPv6 asks `all` only
 * (net/ipv6/ip6_output.c, ip6_forward()), and writing it overwrites the value of every interface (net/ipv6/addrconf.c,
 * addrconf_forward_change()); those are listed too, so that each gets its own back. A host accepts router advertisements where a
 * router does not (accept_ra 1), so that is turned off where it would wake up.
 */
export function noForwarding(netns: NetnsHandle, ifName: string, interfaces: readonly string[]): SysctlChange[] {
  const changes: SysctlChange[] = [{ path: `net/ipv4/conf/${ifName}/forwarding`, value: "0" }];
  if (!hasIpv6(netns, ifName)) return changes;
  const isOn = readSysctl(netns.fd, "net/ipv6/conf/all/forwarding") !== "0";
  if (isOn) {
    changes.push(
      ...["default", ...interfaces]
        .map((name) => `net/ipv6/conf/${name}/accept_ra`)
        .filter((path) => exists(netns, path) && readSysctl(netns.fd, path) === "1")
        .map((path) => ({ path, value: "0" })),
    );
  }
  changes.push({ path: "net/ipv6/conf/all/forwarding", value: "0" });
  for (const name of ["default", ...interfaces]) {
    const path = `net/ipv6/conf/${name}/forwarding`;
    if (exists(netns, path)) changes.push({ path, value: "0", always: isOn });
  }
  return changes;
}

/**
 * Keeps a proxy from answering ARP for everybody's addresses, which its routing makes local: on a bridge it would be taken for every pod
 * (net/ipv4/arp.c, arp_process(): what `ip route get` calls local is answered for). 3: only for addresses that an interface of the
 * namespace has. IPv6 asks for these alone (net/ipv6/ndisc.c, ndisc_recv_ns()). What is set already is left as it is, but named, so that
 * whoever has set it is not the last to hold it.
 */
export function ownArpOnly(netns: NetnsHandle, ifName: string): SysctlChange[] {
  if (readSysctl(netns.fd, "net/ipv4/conf/all/arp_ignore") !== "0") return [];
  const path = `net/ipv4/conf/${ifName}/arp_ignore`;
  const present = readSysctl(netns.fd, path);
  return [{ path, value: present === "0" ? "3" : present }];
}

/** Whether an interface takes part in IPv6 at all. */
export function hasIpv6(netns: NetnsHandle, ifName: string): boolean {
  const path = `net/ipv6/conf/${ifName}/disable_ipv6`;
  return exists(netns, path) && readSysctl(netns.fd, path) === "0";
}

function exists(netns: NetnsHandle, path: string): boolean {
  try {
    readSysctl(netns.fd, path);
    return true;
  } catch (error) {
    if (errorCode(error) === "ENOENT") return false;
    throw error;
  }
}
