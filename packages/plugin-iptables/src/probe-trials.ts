import type { Family } from "linux-ts";
import { ipBatch } from "./commands/ip.ts";
import { ipsetRestore } from "./commands/ipset.ts";
import { iptablesRestore } from "./commands/iptables.ts";
import type { Flavour, TableName } from "./commands/iptables-names.ts";

/** Something the kernel can or cannot do, and how it is tried in a network namespace of its own. */
export interface Trial {
  readonly name: string;
  readonly description: string;
  readonly required: boolean;
  /** What to do where it fails. */
  readonly advice: string;
  readonly attempt: (where: TrialPlace) => Promise<void>;
}

interface TrialPlace {
  readonly netns: number;
  readonly signal: AbortSignal;
}

const modules = (...names: string[]) => `load ${names.join(", ")}, or use a kernel that has it`;

/** Each device that the tunnels can be. */
export function tunnelTrials(wanted: "auto" | "geneve" | "vxlan"): Trial[] {
  return (["geneve", "vxlan"] as const).map((kind) => ({
    name: `tunnel.${kind}`,
    description: "carry a connection's first packet to the proxy",
    required: wanted === kind,
    advice: wanted === kind ? modules(kind) : "the other tunnel serves instead",
    attempt: (where) => ipBatch(4, `link add trial type ${kind} id 1 remote 198.18.0.1 dstport 6081`, where),
  }));
}

/** A rule of iptables for everything that the backend's rules are made of. */
const RULES: readonly [
  name: string,
  description: string,
  module: string,
  table: TableName,
  rule: (family: Family) => string,
  required?: false,
][] = [
  [
    "tproxy",
    "hand members' connections to the proxy's sockets",
    "xt_TPROXY",
    "mangle",
    (family) => `PREROUTING -p tcp -j TPROXY --on-port 15001 --on-ip ${family === 4 ? "127.0.0.1" : "::1"}`,
  ],
  [
    "connmark",
    "bind a connection to its proxy",
    "xt_connmark",
    "mangle",
    () => "PREROUTING -m connmark --mark 0x0/0x7f -j CONNMARK --set-xmark 0x1/0x7f",
  ],
  [
    "mark",
    "decide about a packet",
    "xt_mark",
    "mangle",
    () => "PREROUTING -m mark --mark 0x0/0x7f -j MARK --set-xmark 0x1/0x7f",
  ],
  [
    "conntrack",
    "tell answers and ICMP errors of a connection",
    "xt_conntrack",
    "mangle",
    () => "PREROUTING -m conntrack --ctstate RELATED --ctdir REPLY -j RETURN",
  ],
  [
    "set",
    "tell members by address and interface",
    "ip_set_hash_netiface, xt_set",
    "mangle",
    (family) => `PREROUTING -m set --match-set ${setName(family)} src,src -j RETURN`,
  ],
  [
    "addrtype",
    "tell addresses of the node",
    "xt_addrtype",
    "mangle",
    () => "PREROUTING -m addrtype --dst-type LOCAL -j RETURN",
  ],
  [
    "tee",
    "capture connections to addresses of the node",
    "xt_TEE",
    "mangle",
    (family) => `PREROUTING -j TEE --gateway ${family === 4 ? "198.18.0.1" : "2001:2::1"} --oif lo`,
  ],
  [
    "owner",
    "tell probes by their socket",
    "xt_owner",
    "mangle",
    () => "POSTROUTING -m owner --socket-exists -j RETURN",
  ],
  [
    "mac",
    "tell a proxy behind a bridge",
    "xt_mac",
    "mangle",
    () => "PREROUTING -m mac --mac-source 02:00:00:00:00:01 -j RETURN",
    false,
  ],
  ["zone", "keep a proxy's connections apart from members'", "xt_CT", "raw", () => "PREROUTING -j CT --zone-orig 1"],
  ["notrack", "leave the tunnel out of conntrack", "xt_CT", "raw", () => "OUTPUT -j CT --notrack"],
  [
    "netmap",
    "keep a Service's address as the destination",
    "xt_NETMAP, iptable_nat",
    "nat",
    (family) => `PREROUTING -j NETMAP --to ${family === 4 ? "0.0.0.0/0" : "::/0"}`,
  ],
  [
    "dnat",
    "capture DNS",
    "xt_nat, iptable_nat",
    "nat",
    (family) => `PREROUTING -p udp -j DNAT --to-destination ${family === 4 ? "198.18.0.1" : "[2001:2::1]"}:15053`,
  ],
  [
    "reject",
    "refuse connections while there is no proxy",
    "ipt_REJECT, ip6t_REJECT",
    "filter",
    () => "FORWARD -p tcp -j REJECT --reject-with tcp-reset",
  ],
];

export function ruleTrials(flavour: Flavour, family: Family): Trial[] {
  return RULES.map(([name, description, module, table, rule, required = true]) => ({
    name: `iptables.${name}.ipv${family}`,
    description,
    required,
    advice: modules(module, ...(flavour === "nft" ? ["nft_compat"] : [`${family === 4 ? "ip" : "ip6"}table_${table}`])),
    attempt: async ({ netns, signal }) => {
      if (name === "set")
        await ipsetRestore(`create ${setName(family)} hash:net,iface ${familyOption(family)}`, { netns, signal });
      await iptablesRestore({ flavour, family, netns, signal, text: `*${table}\n-A ${rule(family)}\nCOMMIT\n` });
    },
  }));
}

export function setTrials(family: Family): Trial[] {
  const types = [
    ["hash:net,iface", "members by address and interface", "comment"],
    ["hash:ip", "members' addresses", "comment timeout 0"],
    ["hash:ip,port", "ports that are not captured", "comment"],
  ] as const;
  return types.map(([type, description, options]) => ({
    name: `ipset.${type}.ipv${family}`,
    description,
    required: true,
    advice: modules(
      `ip_set_${type.replaceAll(/[:,]/g, "_").replace("net_iface", "netiface").replace("ip_port", "ipport")}`,
    ),
    attempt: (where) =>
      ipsetRestore(`create trial-${type}-${family} ${type} ${familyOption(family)} ${options}`, where),
  }));
}

export function routingTrials(family: Family): Trial[] {
  const [gateway, any] = family === 4 ? ["198.18.0.1", "198.18.0.2/32"] : ["2001:2::1", "2001:2::2/128"];
  return [
    {
      name: `routing.rules.ipv${family}`,
      description: "choose a route by the packet's mark (Linux 4.17)",
      required: true,
      advice: "build the kernel with CONFIG_IP_MULTIPLE_TABLES and CONFIG_IPV6_MULTIPLE_TABLES",
      attempt: (where) =>
        ipBatch(
          family,
          `rule add priority 75 nop protocol 77
rule add priority 60 iif lo goto 75 protocol 77
rule add priority 61 fwmark 0x0/0x7f table 15100 protocol 77`,
          where,
        ),
    },
    {
      name: `routing.routes.ipv${family}`,
      description: "send to the tunnel, or nowhere where it is lost",
      required: true,
      advice: "use a newer kernel and iproute2",
      attempt: (where) =>
        ipBatch(
          family,
          // With the first link the kernel makes the table `local`, which every gateway is looked up in (net/ipv4/fib_frontend.c).
          `link set lo up
link add veth${family} type veth peer name peer${family}
link set veth${family} up
route add ${any} via ${gateway} dev veth${family} onlink table 15100 proto 77
route add blackhole default metric 4096 table 15100 proto 77
neigh replace ${gateway} lladdr 02:00:00:00:00:01 dev veth${family} nud permanent`,
          where,
        ),
    },
  ];
}

const setName = (family: Family) => `trial${family}`;
const familyOption = (family: Family) => `family ${family === 4 ? "inet" : "inet6"}`;
