import type { Namespace } from "./namespace.ts";

/** What the kubelet, kube-proxy and a firewall use of iptables: every built-in chain. */
const BUILT_IN = {
  raw: ["PREROUTING", "OUTPUT"],
  mangle: ["PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"],
  nat: ["PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"],
  filter: ["INPUT", "FORWARD", "OUTPUT"],
} as const;

const RULES = Object.entries(BUILT_IN)
  .map(([table, chains]) => {
    const rules = chains.map((chain) => `-A ${chain} -m comment --comment theirs\n`);
    return `*${table}\n${rules.join("")}COMMIT\n`;
  })
  .join("");

/**
 * A rule of somebody else in each built-in chain, in both families, as on a node that is in use. The first rule makes its table and
 * chain, and no program of iptables removes those again: a state that is to be compared with a later one has them from the start.
 */
export async function fillBuiltInChains(namespaces: readonly Namespace[], flavour: "nft" | "legacy"): Promise<void> {
  for (const namespace of namespaces) {
    for (const program of ["iptables", "ip6tables"]) {
      await namespace.runChecked(`${program}-${flavour}-restore`, ["--noflush"], { input: RULES });
    }
  }
}
