import type { NodeProxy, Workload } from "@millrace/core";

/** Our tables' name, in families netdev and inet. */
export const TABLE = "__NAME__".replaceAll("-", "_");
/** Source address of frames that come from a member: the proxy's namespace knows them by it. */
const FROM_MEMBER = "02:6d:72:00:00:01";
/** Mark of packets that are for the proxy's own sockets, and the routing table that makes them so. */
export const MARK = "0x6d";
export const ROUTES = "15200";

const chainName = (uid: string) => uid.replace(/[^a-zA-Z0-9]/g, "_");
const familyOf = (address: string) => (address.includes(":") ? "ip6" : "ip");

/**
 * All that the node holds: frames of members are handed to the proxy's interface where they come in, and what the proxy sends to a member is handed
 * back. Answers to what the proxy asks in a member's name come along the node's routes, and are handed to the proxy where they would leave.
 */
export function nodeRules(members: readonly Workload[], proxy: NodeProxy | undefined): string {
  const own = (rule: (ip: string, address: string) => string) =>
    proxy?.addresses.map((address) => rule(familyOf(address), address)).join("\n") ?? "";
  const toProxy = proxy && `ether daddr set ${proxy.interface.mac} fwd to "${proxy.interface.hostName}"`;
  const chains = members.map(
    ({ uid, interface: pod }) => `
  chain from_${chainName(uid)} {
    type filter hook ingress device "${pod.hostName}" priority 0;
    ${own((ip, address) => `${ip} daddr ${address} accept`)}
    meta l4proto tcp ether saddr set ${FROM_MEMBER} ${toProxy ?? "drop"}
  }
  chain to_${chainName(uid)} {
    type filter hook egress device "${pod.hostName}" priority 0;
    ${toProxy === undefined ? "" : `ip daddr . tcp dport . ip saddr . tcp sport @asked4 ether saddr set ${FROM_MEMBER} ${toProxy}`}
    ${toProxy === undefined ? "" : `ip6 daddr . tcp dport . ip6 saddr . tcp sport @asked6 ether saddr set ${FROM_MEMBER} ${toProxy}`}
  }`,
  );
  const deliver = members.flatMap(({ addresses, interface: pod }) =>
    addresses.map(
      (address) =>
        `${familyOf(address)} daddr ${address} meta l4proto tcp ether daddr set ${pod.mac} fwd to "${pod.hostName}"`,
    ),
  );
  const fromProxy =
    proxy &&
    `
  chain from_proxy {
    type filter hook ingress device "${proxy.interface.hostName}" priority 0;
    ${own((ip, address) => `${ip} saddr ${address} accept`)}
    ${deliver.join("\n    ")}
    tcp flags & (syn | ack) == syn update @asked4 { ip saddr . tcp sport . ip daddr . tcp dport }
    tcp flags & (syn | ack) == syn update @asked6 { ip6 saddr . tcp sport . ip6 daddr . tcp dport }
  }`;
  // The old table goes and the new one comes in one transaction: no packet meets half of it.
  return `
add table netdev ${TABLE}
delete table netdev ${TABLE}
table netdev ${TABLE} {
  set asked4 { type ipv4_addr . inet_service . ipv4_addr . inet_service; size 65536; flags dynamic,timeout; timeout 1h; }
  set asked6 { type ipv6_addr . inet_service . ipv6_addr . inet_service; size 65536; flags dynamic,timeout; timeout 1h; }
${chains.join("")}${fromProxy ?? ""}
}`;
}

/** In the proxy's namespace: what comes from a member is for the sockets there, and a new connection for the listener on 15001. */
export const PROXY_RULES = `
add table inet ${TABLE}
delete table inet ${TABLE}
table inet ${TABLE} {
  chain prerouting {
    type filter hook prerouting priority mangle;
    ether saddr ${FROM_MEMBER} meta l4proto tcp tproxy to :15001 meta mark set ${MARK} accept
    ether saddr ${FROM_MEMBER} meta mark set ${MARK}
  }
}`;

/** Uids of the members whose chains a printed table has. */
export const membersIn = (printed: string, known: readonly Workload[]) =>
  known.filter(({ uid }) => ["from", "to"].every((way) => printed.includes(`chain ${way}_${chainName(uid)} {`)));
