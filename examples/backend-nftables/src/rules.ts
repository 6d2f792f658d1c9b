import { createHash } from "node:crypto";
import type { NodePolicy, NodeProxy, Proxies, Workload } from "@millrace/core";
import { type NftChain, NftTable } from "@millrace/core/host";

/** Our table in the families netdev and inet of the node, and inet of each proxy's namespace. */
export const TABLE = "millrace_nft";
export const NETDEV = new NftTable("netdev", TABLE);
export const INET = new NftTable("inet", TABLE);
/** In a proxy's namespace what comes in is for its own sockets, whatever its destination. */
export const ROUTING = { table: 15100, priority: 60 };
const WORDS: Readonly<Record<string, string>> = {
  T: TABLE,
  // What a frame is, in its source address: from a member, to a member, a question to a nameserver; and from a proxy to a member.
  OUT: "02:6d:72:6e:00:01",
  IN: "02:6d:72:6e:00:02",
  DNS: "02:6d:72:6e:00:03",
  OWN: "02:6d:72:6e:00:04",
  // On what a proxy sends, and on the first packet of a connection that the node begins: it goes by.
  BY: "0x00400000",
  // On the first packet of what a proxy sends to a member, where the node's own rules are to see it.
  TO: "0x00800000",
  NEW: "tcp flags 0x2 / 0x2,0x10",
  // A connection as a packet tells it, and as the packet that answers it does.
  AHEAD: "$IP saddr . tcp sport . $IP daddr . tcp dport",
  BACK: "$IP daddr . tcp dport . $IP saddr . tcp sport",
};
const FAMILIES = [
  { ip: "ip", type: "ipv4_addr", n: "4" },
  { ip: "ip6", type: "ipv6_addr", n: "6" },
] as const;
export const familyOf = (address: string) => (address.includes(":") ? "6" : "4");

/** Lines with our words filled in; what names a family (`$IP`, `$TYPE`, `#`) once for each. As nftables prints them: that is compared. */
export function lines(text: string): string[] {
  const filled = text.replace(/\$([A-Z]+)/g, (whole, word) => WORDS[word] ?? whole).match(/\S.*/g) ?? [];
  return filled.flatMap((line) => {
    const families = /\$IP|\$TYPE|#/.test(line) ? FAMILIES : FAMILIES.slice(0, 1);
    return families.map(({ ip, type, n }) => line.replaceAll("$IP", ip).replaceAll("$TYPE", type).replaceAll("#", n));
  });
}

/** Chains as a text: `chain NAME of OWNER: HOOK` begins one. */
function chainsOf(text: string): NftChain[] {
  const chains: (NftChain & { rules: string[] })[] = [];
  for (const line of lines(text)) {
    const [head, name, owner, hook] = /^chain ([^\s:]+)(?: of ([^\s:]+))?(?:: (.*))?$/.exec(line) ?? [];
    if (head === undefined) chains.at(-1)?.rules.push(line);
    else chains.push({ name: `${name}`, rules: [], ...(hook && { hook }), ...(owner && { owner }) });
  }
  return chains;
}

/** Connections that go by, and those of a proxy. */
export const PASSED = NETDEV.connections("passed");
export const connectionsOf = (proxy: NodeProxy) => NETDEV.connections(proxyName(proxy));

/** What chains name. Adding what is there already changes nothing. */
export const SETS = lines(`
  add table netdev $T
  add table inet $T
  add counter netdev $T dropped
  add set inet $T links { type ifname; }
  add set inet $T node_# { type $TYPE; }
  add set netdev $T proxies_# { type $TYPE; }
  add map netdev $T dev_# { typeof $IP daddr : meta oif; }
  add map netdev $T mac_# { type $TYPE : ether_addr; }
  ${PASSED.make().join("\n")}`);

/** What all members share, but for the way to the proxies. */
export const SHARED = chainsOf(`
  chain from_member
    $IP daddr @proxies_# accept
    meta protocol != { 0x0800, 0x86dd } accept
    meta l4proto != 6 accept
    $NEW delete @passed_# { $AHEAD }
    $AHEAD @passed_# update @passed_# { $AHEAD } accept
    ether saddr set $OUT goto to_proxy
  chain to_member
    ether saddr $OWN accept
    meta mark & $TO == $TO accept
    $IP saddr @proxies_# accept
    meta mark & $BY == $BY $NEW update @passed_# { $BACK } accept
    meta mark & $BY == $BY accept
    icmp type { 3, 11, 12 } @th,136,8 0x6 goto errors
    icmpv6 type { 1, 2, 3, 4 } @th,112,8 0x6 goto errors
    meta protocol != { 0x0800, 0x86dd } accept
    meta l4proto != 6 accept
    $NEW delete @passed_# { $BACK }
    $BACK @passed_# accept
    ether saddr set $IN goto to_proxy`);

export const NODE_CHAINS = chainsOf(`
  chain prerouting: filter hook prerouting priority -150
    iifname @links meta l4proto 6 meta mark set meta mark | $BY
  chain output: filter hook output priority -150
    $IP saddr @node_# $NEW meta mark set meta mark | $BY`);

/** In a proxy's namespace. Where nobody listens the kernel refuses, as it does for any closed port. */
export const INSIDE = chainsOf(`
  chain prerouting: filter hook prerouting priority -150
    ether saddr $OUT meta l4proto 6 tproxy to :15001 accept
    ether saddr $IN tcp dport 15008 tproxy to :15008 accept
    ether saddr $IN tcp dport != 15008 tproxy to :15006 accept
  chain dns: nat hook prerouting priority -100
    ether saddr $DNS meta l4proto { 6, 17 } redirect to :15053`);

export const proxyName = ({ key }: NodeProxy) => `z_${createHash("sha256").update(key).digest("hex").slice(0, 12)}`;
export const listed = ({ active, draining }: Proxies) => [...(active === undefined ? [] : [active]), ...draining];

/** The way to the proxies: new connections to the active one, the others to the one that has them. */
export function proxyChains(proxies: Proxies, { failurePolicy, localDelivery }: NodePolicy): NftChain[] {
  const { active, draining } = proxies;
  const all = listed(proxies).map((proxy) => ({ ...proxy.interface, proxy, name: proxyName(proxy) }));
  const eldest = draining.at(-1);
  // Only while there are two is it of interest whose a connection is; those that nobody noted are the eldest's.
  const note = (name: string, tuple: string) => (eldest ? `$NEW update @${name}_# { $${tuple} }` : "");
  // Nobody could tell two connections of one tuple apart: whoever chooses what another proxy has is refused.
  const others = (name: string) => all.flatMap((other) => (other.name === name ? [] : [other.name]));
  const passing = `
      ether saddr $OUT $NEW update @passed_# { $AHEAD } accept
      ether saddr $IN $NEW update @passed_# { $BACK } accept
      ether saddr $DNS accept`;
  const none = `${failurePolicy === "open" ? passing : ""}\ncounter name "dropped" drop`;
  // Who is a member is known by these maps alone. The node's rules decide on the first packet: without answers its conntrack would call the others invalid.
  const routed = "$NEW ether daddr set $IP daddr map @mac_# meta mark set meta mark | $TO accept";
  const ofProxy = ({ name, netnsInode, netns, mac, hostName }: (typeof all)[number]) => `
    chain to_${name}
      ether daddr set ${mac} fwd to "${hostName}"
    chain ${name} of ${netnsInode}${netns}: filter hook ingress device "${hostName}" priority 0
      $IP saddr @proxies_# accept
      meta l4proto != { 6, 17 } accept
      udp sport != 53 accept
      ${others(name)
        .map((other) => `$NEW $BACK @${other}_# reject with tcp reset`)
        .join("\n")}
      ${note(name, "BACK")}
      ${localDelivery === "routed" ? routed : ""}
      ether daddr set $IP daddr map @mac_# ether saddr set $OWN fwd to $IP daddr map @dev_#`;
  const noted = eldest ? all.filter(({ proxy }) => proxy !== eldest) : [];
  return chainsOf(`
    ${all.map(ofProxy).join("\n")}
    chain active
      ${active ? `${note(proxyName(active), "AHEAD")}\ngoto to_${proxyName(active)}` : none}
    chain to_proxy
      $NEW goto active
      ${noted.map(({ name }) => `$AHEAD @${name}_# goto to_${name}`).join("\n")}
      goto ${eldest ? `to_${proxyName(eldest)}` : "active"}
    chain errors
      ${all.map(({ mac, hostName }) => `ether saddr set $IN ether daddr set ${mac} dup to "${hostName}"\nether daddr set $IP daddr map @mac_#`).join("\n")}`);
}

export const workloadNames = (uid: string) =>
  ["from", "to"].map((way) => `${way}_${uid.replace(/[^a-zA-Z0-9]/g, "_")}`);

/** A member's own chains, in both directions of its host interface. */
export function workloadChains({ uid, interface: pod, dnsCapture, exclusions }: Workload): NftChain[] {
  const { outboundPorts, outboundCidrs, inboundPorts, inboundCidrs } = exclusions;
  const excluded = (ports: readonly number[], cidrs: readonly string[], side: string, tuple: "AHEAD" | "BACK") => {
    const noted = `$NEW update @passed_# { $${tuple} } accept`;
    // A single address is printed without a length.
    const bare = (cidr: string) => cidr.replace(cidr.includes(":") ? /\/128$/ : /\/32$/, "");
    const networks = cidrs.map((cidr) => lines(`$IP ${side} ${bare(cidr)} ${noted}`)[cidr.includes(":") ? 1 : 0]);
    return [...ports.map((port) => `tcp dport ${port} ${noted}`), ...networks].join("\n");
  };
  const dns = `
    $IP daddr @proxies_# accept
    udp dport 53 ether saddr set $DNS goto active
    tcp dport 53 ether saddr set $DNS goto to_proxy`;
  const [from, to] = workloadNames(uid);
  return chainsOf(`
    chain ${from} of ${uid}: filter hook ingress device "${pod.hostName}" priority 0
      ${dnsCapture ? dns : ""}
      ${excluded(outboundPorts, outboundCidrs, "daddr", "AHEAD")}
      goto from_member
    chain ${to} of ${uid}: filter hook egress device "${pod.hostName}" priority 0
      ${excluded(inboundPorts, inboundCidrs, "saddr", "BACK")}
      goto to_member`);
}
