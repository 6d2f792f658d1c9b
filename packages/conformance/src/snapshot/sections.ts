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

export const SECTIONS: readonly Section[] = [
  {
    title: "links",
    command: "ip -o -d link show",
    erase: / (numrxqueues|numtxqueues|gso_\w+|gro_\w+|tso_\w+|\w+_timer|fdb_n_learned) +\S+/g,
  },
  { title: "addresses", command: "ip -o addr show" },
  { title: "routes v4", command: "ip -4 -o route show table all" },
  { title: "routes v6", command: "ip -6 -o route show table all", omit: /\b(cache|ra|expires)\b/ },
  { title: "rules v4", command: "ip -4 -d rule show" },
  { title: "rules v6", command: "ip -6 -d rule show" },
  { title: "qdiscs", command: "tc qdisc show", erase: / refcnt \d+/g },
  {
    title: "tc filters",
    command:
      'for d in $(ls /proc/sys/net/ipv4/conf); do for h in ingress egress; do tc filter show dev $d $h 2>/dev/null | sed "s/^/$d $h /"; done; done',
    erase: / (id \d+|jited)/g,
  },
  { title: "nftables", command: "nft -s list ruleset 2>/dev/null" },
  ...["iptables", "ip6tables"].flatMap((program) => [
    // Prints only tables that exist: unlike the legacy one it makes none.
    { title: `${program} nft`, command: `${program}-nft-save ${WITHOUT_COUNTERS}` },
    // The legacy program makes the tables it is to print; those that were ever used in this namespace are listed.
    {
      title: `${program} legacy`,
      command: `grep -qs . /proc/net/${NAMES[program]} && ${program}-legacy-save ${WITHOUT_COUNTERS} || true`,
    },
  ]),
  {
    title: "sets",
    command: "ipset save -sorted",
    erase: / (initval|bucketsize|timeout) \S+/g,
    // Entries that packets make.
    omit: /^add millrace-answered/,
  },
  { title: "sysctls", command: "sysctl -a --pattern '^net\\.' 2>/dev/null", omit: VOLATILE_SYSCTLS },
];
