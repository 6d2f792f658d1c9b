import { createHash } from "node:crypto";
import type { NodeProxy, Proxies, Workload } from "@millrace/core";

/** Our table in the families netdev and inet, and in each proxy's namespace. */
export const TABLE = "millrace_nft";
/** What a frame is, in its source address: from a member, to a member, a question to a nameserver; and from the proxy to a member. */
const MAC = { out: "02:6d:72:6e:00:01", in: "02:6d:72:6e:00:02", dns: "02:6d:72:6e:00:03", own: "02:6d:72:6e:00:04" };
/** On what a proxy sends, and on the first packet of a connection that the node begins: it goes by. */
const GOES_BY = "0x00400000";
/** On what is for the proxy's own sockets, in its namespace. */
export const FOR_US = "0x0000006d";
const NEW = "tcp flags 0x2 / 0x2,0x10";
const IP = { 4: "ip", 6: "ip6" } as const;
const FAMILIES = [4, 6] as const;
const both = (rule: (ip: string, family: number) => string) => FAMILIES.map((family) => rule(IP[family], family));
/** A connection, as a packet tells it, and as the packet that answers it does. */
const ahead = (ip: string) => `${ip} saddr . tcp sport . ${ip} daddr . tcp dport`;
const back = (ip: string) => `${ip} daddr . tcp dport . ${ip} saddr . tcp sport`;

/** A chain as nftables prints it. */
export interface Chain {
  readonly name: string;
  /** Who it is for; empty for those that all share. */
  readonly owner: string;
  /** As in `filter hook ingress device "veth1" priority 0`. */
  readonly hook?: string;
  readonly rules: readonly string[];
}

export const sumOf = ({ hook = "", rules }: Pick<Chain, "hook" | "rules">) =>
  createHash("sha256")
    .update([hook, ...rules].join("\n"))
    .digest("hex")
    .slice(0, 16);

/**
 * Makes it anew, within the transaction that it is part of: no packet meets half of it. Its first rule does nothing, and says what the
 * others add up to, so that reading it back needs no memory.
 */
export function writeChain(family: string, chain: Chain): string {
  const name = `chain ${family} ${TABLE} ${chain.name}`;
  // A hook is for good: another one is another chain.
  const hook = chain.hook === undefined ? [] : [`delete ${name}`, `add ${name} { type ${chain.hook}; }`];
  const rules = [`continue comment "${sumOf(chain)} ${chain.owner}"`, ...chain.rules];
  return [
    `add ${name}`,
    `flush ${name}`,
    ...hook,
    ...rules.map((rule) => `add rule ${family} ${TABLE} ${chain.name} ${rule}`),
  ].join("\n");
}

export const uidName = (uid: string) => uid.replace(/[^a-zA-Z0-9]/g, "_");
export const proxyName = ({ key }: NodeProxy) => `z_${createHash("sha256").update(key).digest("hex").slice(0, 12)}`;

/** What all members share, but for the way to the proxy. */
export const SHARED: readonly Chain[] = [
  {
    name: "from_member",
    owner: "",
    rules: [
      ...both((ip, n) => `${ip} daddr @proxies${n} accept`),
      "meta protocol != { 0x0800, 0x86dd } accept",
      "meta l4proto != 6 accept",
      ...both((ip, n) => `${NEW} delete @passed${n} { ${ahead(ip)} }`),
      ...both((ip, n) => `${ahead(ip)} @passed${n} update @passed${n} { ${ahead(ip)} } accept`),
      `ether saddr set ${MAC.out} goto to_proxy`,
    ],
  },
  {
    name: "to_member",
    owner: "",
    rules: [
      `ether saddr ${MAC.own} accept`,
      ...both((ip, n) => `${ip} saddr @proxies${n} accept`),
      ...both((ip, n) => `meta mark & ${GOES_BY} == ${GOES_BY} ${NEW} update @passed${n} { ${back(ip)} } accept`),
      `meta mark & ${GOES_BY} == ${GOES_BY} accept`,
      // The error is about a connection of ours or of the member's: both hear of it.
      "icmp type { 3, 11, 12 } @th,136,8 0x6 goto errors",
      "icmpv6 type { 1, 2, 3, 4 } @th,112,8 0x6 goto errors",
      "meta protocol != { 0x0800, 0x86dd } accept",
      "meta l4proto != 6 accept",
      ...both((ip, n) => `${NEW} delete @passed${n} { ${back(ip)} }`),
      ...both((ip, n) => `${back(ip)} @passed${n} accept`),
      `ether saddr set ${MAC.in} goto to_proxy`,
    ],
  },
];

export const NODE_CHAINS: readonly Chain[] = [
  {
    name: "prerouting",
    owner: "",
    hook: "filter hook prerouting priority -150",
    rules: [`iifname @links meta l4proto 6 meta mark set meta mark | ${GOES_BY}`],
  },
  {
    name: "output",
    owner: "",
    hook: "filter hook output priority -150",
    rules: both((ip, n) => `${ip} saddr @node${n} ${NEW} meta mark set meta mark | ${GOES_BY}`),
  },
];

/** The way to the proxies: new connections to the active one, the others to the one that has them. */
export function proxyChains({ active, draining }: Proxies): Chain[] {
  const send = (proxy: NodeProxy) => [`ether daddr set ${proxy.interface.mac} fwd to "${proxy.interface.hostName}"`];
  const drop = ['counter name "dropped" drop'];
  const all = [...(active === undefined ? [] : [active]), ...draining];
  const eldest = draining.at(-1);
  const note = (proxy: NodeProxy, tuple: (ip: string) => string) =>
    eldest === undefined ? [] : both((ip, n) => `${NEW} update @${proxyName(proxy)}_${n} { ${tuple(ip)} }`);
  return [
    { name: "active", owner: "", rules: active === undefined ? drop : [...note(active, ahead), ...send(active)] },
    {
      name: "to_proxy",
      owner: "",
      rules: [
        `${NEW} goto active`,
        ...all
          .filter((proxy) => eldest !== undefined && proxy !== eldest)
          .flatMap((proxy) => both((ip, n) => `${ahead(ip)} @${proxyName(proxy)}_${n} goto to_${proxyName(proxy)}`)),
        `goto ${eldest === undefined ? "active" : `to_${proxyName(eldest)}`}`,
      ],
    },
    {
      name: "errors",
      owner: "",
      rules: all.flatMap(({ interface: { mac, hostName } }) => [
        `ether saddr set ${MAC.in} ether daddr set ${mac} dup to "${hostName}"`,
        ...both((ip, n) => `ether daddr set ${ip} daddr map @mac${n}`),
      ]),
    },
    ...all.flatMap((proxy): Chain[] => [
      { name: `to_${proxyName(proxy)}`, owner: "", rules: send(proxy) },
      {
        name: proxyName(proxy),
        owner: proxy.key,
        hook: `filter hook ingress device "${proxy.interface.hostName}" priority 0`,
        rules: [
          ...both((ip, n) => `${ip} saddr @proxies${n} accept`),
          "meta l4proto != { 6, 17 } accept",
          "udp sport != 53 accept",
          ...note(proxy, back),
          // Straight to a member of this node; anything else the node routes, and translates as for anybody.
          ...both(
            (ip, n) =>
              `ether daddr set ${ip} daddr map @mac${n} ether saddr set ${MAC.own} fwd to ${ip} daddr map @dev${n}`,
          ),
        ],
      },
    ]),
  ];
}

/** A member's own chains, at both directions of its host interface. */
export function workloadChains({ uid, interface: { hostName }, dnsCapture, exclusions }: Workload): Chain[] {
  const pass = (what: string, tuple: (ip: string) => string, only?: string) =>
    FAMILIES.filter((n) => only === undefined || IP[n] === only).map(
      (n) => `${what} ${NEW} update @passed${n} { ${tuple(IP[n])} } accept`,
    );
  const excluded = (
    ports: readonly number[],
    cidrs: readonly string[],
    side: string,
    tuple: (ip: string) => string,
  ) => [
    ...ports.flatMap((port) => pass(`tcp dport ${port}`, tuple)),
    ...cidrs.flatMap((cidr) => {
      const ip = cidr.includes(":") ? "ip6" : "ip";
      return pass(
        `${ip} ${side} ${cidr.replace(/\/(32|128)$/, (whole) => (ip === "ip" || whole === "/128" ? "" : whole))}`,
        tuple,
        ip,
      );
    }),
  ];
  const dns = [
    `udp dport 53 ether saddr set ${MAC.dns} goto active`,
    `tcp dport 53 ether saddr set ${MAC.dns} goto to_proxy`,
  ];
  const hook = (direction: string) => `filter hook ${direction} device "${hostName}" priority 0`;
  return [
    {
      name: `from_${uidName(uid)}`,
      owner: uid,
      hook: hook("ingress"),
      rules: [
        ...(dnsCapture ? [...both((ip, n) => `${ip} daddr @proxies${n} accept`), ...dns] : []),
        ...excluded(exclusions.outboundPorts, exclusions.outboundCidrs, "daddr", ahead),
        "goto from_member",
      ],
    },
    {
      name: `to_${uidName(uid)}`,
      owner: uid,
      hook: hook("egress"),
      rules: [...excluded(exclusions.inboundPorts, exclusions.inboundCidrs, "saddr", back), "goto to_member"],
    },
  ];
}

/** In a proxy's namespace: what a member sent goes to 15001, what is sent to one to 15006 or 15008, DNS to 15053. */
export const INSIDE: readonly Chain[] = [
  {
    name: "prerouting",
    owner: "",
    hook: "filter hook prerouting priority -150",
    rules: [
      `ether saddr ${MAC.out} meta l4proto 6 tproxy to :15001 meta mark set ${FOR_US} accept`,
      `ether saddr ${MAC.in} tcp dport 15008 tproxy to :15008 meta mark set ${FOR_US} accept`,
      `ether saddr ${MAC.in} tcp dport != 15008 tproxy to :15006 meta mark set ${FOR_US} accept`,
      // Nobody listens: the kernel refuses, as it does for any closed port.
      `ether saddr { ${MAC.out}, ${MAC.in} } meta mark set ${FOR_US} accept`,
    ],
  },
  {
    name: "dns",
    owner: "",
    hook: "nat hook prerouting priority -100",
    rules: [`ether saddr ${MAC.dns} meta l4proto { 6, 17 } redirect to :15053`],
  },
];
