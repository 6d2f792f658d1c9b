import type { Namespace } from "./namespace.ts";

export type IptablesFlavour = "nft" | "legacy";

const CHAINS = {
  raw: ["PREROUTING", "OUTPUT"],
  mangle: ["PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"],
  nat: ["PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"],
  filter: ["INPUT", "FORWARD", "OUTPUT"],
};

const RULES = Object.entries(CHAINS)
  .map(([table, chains]) => {
    const lines = chains.map((chain) => `-A ${chain} -m comment --comment theirs`);
    return `*${table}\n${lines.join("\n")}\nCOMMIT\n`;
  })
  .join("");

/**
 * A rule that does nothing in every built-in chain of both families, as a node of a cluster has rules of the kubelet and a firewall. The
 * first rule makes its table and chain, which no program of iptables removes again: so whoever comes later makes none.
 */
export async function addFirewall(namespace: Namespace, flavour: IptablesFlavour): Promise<void> {
  for (const program of ["iptables", "ip6tables"]) {
    await namespace.runChecked(`${program}-${flavour}-restore`, ["-w", "10", "--noflush"], { input: RULES });
  }
}
