/**
 * What a snapshot shows of a network namespace: title, command, and which of its lines change by themselves. The commands run
 * in one shell per namespace. `ip` and `tc` print what they are asked for in the kernel's order, and order is part of the state.
 */
export interface Section {
  readonly title: string;
  readonly command: string;
  /** Lines that say nothing about the configuration. */
  readonly omit?: RegExp;
  /** Parts of lines that do so. */
  readonly erase?: RegExp;
}

/** Sysctls that count or change by themselves, or cannot be compared. */
const VOLATILE_SYSCTLS =
  /^net\.(netfilter\.nf_conntrack_(count|generation)|ipv4\.tcp_fastopen_key|ipv6\.conf\.[^.]+\.(stable_secret|flush)|ipv[46]\.route\.flush|ipv4\.tcp_(mem|available\S*))\b/;

/** Of legacy tables, below /proc/net. */
const NAMES: Readonly<Record<string, string>> = { iptables: "ip_tables_names", ip6tables: "ip6_tables_names" };

/** Comments carry the time, policies their counters. */
const WITHOUT_COUNTERS = "| sed 's/\\[[0-9:]*\\]$//; /^#/d'";

/**
 * What the others need not be asked: filters hang on a clsact or ingress qdisc, and iptables-nft has its rules in nftables. Where there
 * are none, and that is in most namespaces, the programs would start for nothing.
 */
const PREPARE = "qdiscs=$(tc qdisc show); nftables=$(nft -s list ruleset 2>/dev/null || echo unreadable)";

const FILTERS = `while read -r _ kind _ _ dev _; do
  case $kind in clsact|ingress) ;; *) continue ;; esac
  for hook in ingress egress; do tc filter show dev "$dev" "$hook" 2>/dev/null | sed "s/^/$dev $hook /"; done
done <<END
$qdiscs
END`;

export const SECTIONS: readonly Section[] = [
  {
    title: "links and addresses",
    command: ip("-o -d", "link show", "addr show"),
    // An address is tentative until a worker of the kernel has come to it (net/ipv6/addrconf.c, addrconf_dad_work()).
    erase: / (tentative|(numrxqueues|numtxqueues|gso_\w+|gro_\w+|tso_\w+|\w+_timer|fdb_n_learned) +\S+)/g,
  },
  { title: "routes and rules v4", command: ip("-o -d -4", "route show table all", "rule show") },
  {
    title: "routes and rules v6",
    command: ip("-o -d -6", "route show table all", "rule show"),
    omit: /\b(cache|ra|expires)\b/,
  },
  { title: "qdiscs", command: `${PREPARE}; printf '%s\\n' "$qdiscs"`, erase: / refcnt \d+/g },
  { title: "tc filters", command: FILTERS, erase: / (id \d+|jited)/g },
  { title: "nftables", command: "printf '%s\\n' \"$nftables\"" },
  ...["iptables", "ip6tables"].flatMap((program) => [
    // Prints only tables that exist: unlike the legacy one it makes none.
    { title: `${program} nft`, command: `[ -z "$nftables" ] || ${program}-nft-save ${WITHOUT_COUNTERS}` },
    // The legacy program makes the tables it is to print; those that were ever used in this namespace are listed.
    {
      title: `${program} legacy`,
      command: `if { read -r _ </proc/net/${NAMES[program]}; } 2>/dev/null; then ${program}-legacy-save ${WITHOUT_COUNTERS}; fi`,
    },
  ]),
  {
    title: "sets",
    command: "ipset save -sorted",
    // Of an entry that goes by itself there stays that it does, and how long it has is left out; all others have `timeout 0` in such a set.
    erase: / (initval|bucketsize) \S+| timeout 0\b|(?<= timeout) \d+/g,
    // Entries that packets make.
    omit: /^add millrace-answered/,
  },
  { title: "sysctls", command: "sysctl -a --pattern '^net\\.' 2>/dev/null", omit: VOLATILE_SYSCTLS },
];

/** One process for several lists. */
function ip(options: string, ...lists: readonly string[]): string {
  return `printf '%s\\n' ${lists.map((list) => `'${list}'`).join(" ")} | ip ${options} -batch -`;
}
