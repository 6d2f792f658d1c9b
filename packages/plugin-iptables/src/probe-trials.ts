import type { Family } from "linux-ts";
import { ipBatch } from "./commands/ip.ts";
import { ipsetRestore } from "./commands/ipset.ts";
import { iptablesRestore } from "./commands/iptables.ts";
import type { Flavour, TableName } from "./commands/iptables-names.ts";
import { run } from "./commands/run.ts";
import { SYN_ACK } from "./rules/host-input.ts";

/** Something the kernel can or cannot do, and how it is tried in a network namespace of its own. */
export interface Trial {
  readonly name: string;
  readonly description: string;
  readonly required: boolean;
  /** What to do where it fails. */
  readonly advice: string;
  readonly attempt: (where: TrialPlace) => Promise<void>;
}

/** Trials that usually all succeed, and can be made by one command then. */
export interface TrialGroup {
  readonly trials: readonly Trial[];
  readonly together?: (where: TrialPlace) => Promise<void>;
}

interface TrialPlace {
  readonly netns: number;
  readonly signal: AbortSignal;
}

const modules = (...names: string[]) => `load ${names.join(", ")}, or use a kernel that has it`;

/** Each device that the tunnels can be. */
export function tunnelTrials(wanted: "auto" | "geneve" | "vxlan"): TrialGroup {
  const trials = (["geneve", "vxlan"] as const).map(
    (kind): Trial => ({
      name: `tunnel.${kind}`,
      description: "carry a connection's first packet to the proxy",
      required: wanted === kind,
      advice: wanted === kind ? modules(kind) : "the other tunnel serves instead",
      attempt: (where) => ipBatch(4, `link add trial type ${kind} id 1 remote 198.18.0.1 dstport 6081`, where),
    }),
  );
  return { trials };
}

/** The table that takes what pods of one bridge send to each other to the node's IP layer: nodes with routed pods need none. */
export function bridgeTrial(table: string): TrialGroup {
  const trial: Trial = {
    name: "nft.bridge",
    description: "capture what pods of one bridge send to each other",
    required: false,
    advice: `${modules("nf_tables")} (CONFIG_NF_TABLES_BRIDGE); until then members that are ports of a bridge are refused`,
    attempt: async ({ netns, signal }) => {
      await run("nft", ["-f", "-"], { netns, signal, input: table });
    },
  };
  return { trials: [trial] };
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
    "set-target",
    "remember connections to addresses of the node",
    "ip_set_hash_ipportip, xt_set",
    "mangle",
    (family) =>
      `PREROUTING ${SYN_ACK} -m addrtype --src-type LOCAL -j SET --add-set ${answeredName(family)} dst,dst,src --exist`,
  ],
  [
    "addrtype",
    "tell addresses of the node",
    "xt_addrtype",
    "mangle",
    () => "PREROUTING -m addrtype --dst-type LOCAL -j RETURN",
  ],
  [
    "nat-state",
    "tell what is going to be translated",
    "xt_conntrack",
    "mangle",
    () => "PREROUTING -p tcp -m conntrack ! --ctstate SNAT,DNAT -j DROP",
  ],
  [
    "udp",
    "tell the tunnel's packets, and questions to nameservers",
    "xt_tcpudp",
    "filter",
    () => "FORWARD -p udp -m udp --dport 53 -j DROP",
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

export function ruleTrials(flavour: Flavour, family: Family): TrialGroup {
  const write = async (rules: typeof RULES, where: TrialPlace) => {
    const text = rules.map(([, , , table, rule]) => `*${table}\n-A ${rule(family)}\nCOMMIT\n`).join("");
    const sets = [
      [setName(family), "hash:net,iface"],
      [answeredName(family), "hash:ip,port,ip"],
    ] as const;
    const named = sets.filter(([name]) => text.includes(` ${name} `));
    await ipsetRestore(named.map(([name, type]) => `create ${name} ${type} ${familyOption(family)}`).join("\n"), where);
    await iptablesRestore({ flavour, family, text, ...where });
  };
  const trials = RULES.map((each): Trial => {
    const [name, description, module, table, , required = true] = each;
    const compat = flavour === "nft" ? "nft_compat" : `${family === 4 ? "ip" : "ip6"}table_${table}`;
    return {
      name: `iptables.${name}.ipv${family}`,
      description,
      required,
      advice: modules(module, compat),
      attempt: (where) => write([each], where),
    };
  });
  return { trials, together: (where) => write(RULES, where) };
}

const SETS = [
  ["hash:net,iface", "tell members by address and interface", "comment", "ip_set_hash_netiface"],
  ["hash:ip", "tell members by address, some for a time", "comment timeout 0", "ip_set_hash_ip"],
  ["hash:ip,port", "tell ports that are not captured", "comment", "ip_set_hash_ipport"],
  ["hash:ip,port,ip", "remember connections to addresses of the node", "timeout 63", "ip_set_hash_ipportip"],
  ["list:set", "tell members by their own interface, however many there are", "size 32", "ip_set_list_set"],
] as const;

export function setTrials(family: Family): TrialGroup {
  const line = ([type, , options]: (typeof SETS)[number]) =>
    `create trial-${type}-${family} ${type} ${type === "list:set" ? "" : familyOption(family)} ${options}`;
  const trials = SETS.map((each): Trial => {
    const [type, description, , module] = each;
    return {
      name: `ipset.${type}.ipv${family}`,
      description,
      required: true,
      advice: modules(module),
      attempt: (where) => ipsetRestore(line(each), where),
    };
  });
  return { trials, together: (where) => ipsetRestore(SETS.map(line).join("\n"), where) };
}

export function routingTrials(family: Family): TrialGroup {
  const [gateway, host] = family === 4 ? ["198.18.0.1", "198.18.0.2/32"] : ["2001:2::1", "2001:2::2/128"];
  const rules = [
    "rule add priority 75 nop protocol 77",
    "rule add priority 60 iif lo goto 75 protocol 77",
    "rule add priority 61 fwmark 0x0/0x7f table 15100 protocol 77",
  ].join("\n");
  const routes = [
    // With the first link the kernel makes the table `local`, in which every gateway is looked up (net/ipv4/fib_frontend.c).
    "link set lo up",
    "link add trial type veth peer name peer",
    "link set trial up",
    `route add ${host} via ${gateway} dev trial onlink table 15100 proto 77`,
    "route add blackhole default metric 4096 table 15100 proto 77",
    `neigh replace ${gateway} lladdr 02:00:00:00:00:01 dev trial nud permanent`,
  ].join("\n");
  const trials = [
    {
      name: `routing.rules.ipv${family}`,
      description: "choose a route by the packet's mark (Linux 4.17)",
      required: true,
      advice: "build the kernel with CONFIG_IP_MULTIPLE_TABLES and CONFIG_IPV6_MULTIPLE_TABLES",
      attempt: (where: TrialPlace) => ipBatch(family, rules, where),
    },
    {
      name: `routing.routes.ipv${family}`,
      description: "send to the tunnel, or nowhere where it is lost",
      required: true,
      advice: "use a newer kernel and iproute2",
      attempt: (where: TrialPlace) => ipBatch(family, routes, where),
    },
  ];
  return { trials, together: (where) => ipBatch(family, `${rules}\n${routes}`, where) };
}

/** What the translation of nftables' own is made of, beside the rules of either flavour of iptables. */
export function nftTrials(text: string): TrialGroup {
  const trial: Trial = {
    name: "nft.nat",
    description: "keep a Service's address as the destination where kube-proxy is in its nftables mode",
    required: true,
    advice: modules("nft_chain_nat", "nft_nat"),
    attempt: async (where) => void (await run("nft", ["-f", "-"], { input: text, ...where })),
  };
  return { trials: [trial] };
}

const setName = (family: Family) => `trial${family}`;
const answeredName = (family: Family) => `trial-answered${family}`;
const familyOption = (family: Family) => `family ${family === 4 ? "inet" : "inet6"}`;
