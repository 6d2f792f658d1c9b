import type { Flavour } from "../commands/iptables-names.ts";
import type { SavedRules } from "../commands/parse-iptables-save.ts";

/** Who uses a flavour on this host. */
export interface FlavourUse {
  readonly flavour: Flavour;
  /** Why it cannot be used; undefined where nothing speaks against it. */
  readonly problem: string | undefined;
  /** Rules in chains of this backend, both families. */
  readonly ours: number;
  /** Chains by which the kubelet tells everybody which flavour the node uses, sorted. */
  readonly hints: readonly string[];
  /** Other chains of Kubernetes and of CNI plugins, sorted. */
  readonly chains: readonly string[];
  /** Rules of everybody else. */
  readonly rules: number;
}

/**
 * The kubelet makes these in the mangle table for exactly this purpose (KEP-3178; before 1.24 the canary alone, which says the same:
 * kubernetes-sigs/iptables-wrappers).
 */
const HINTS = ["KUBE-IPTABLES-HINT", "KUBE-KUBELET-CANARY"];

/** kube-proxy and kube-router; Calico; flannel; Cilium; Weave; Antrea; the CNI project's own plugins; OVN-Kubernetes; AWS VPC CNI. */
const CLUSTER_CHAINS = /^(KUBE-|cali-|FLANNEL-|CILIUM_|OLD_CILIUM_|WEAVE|ANTREA-|CNI-|OVN-KUBE-|AWS-)/;

/** The same chain under both families counts as one name, its rules as two. */
export function countUse(
  flavour: Flavour,
  saved: readonly SavedRules[],
  isOurs: (chain: string) => boolean,
): FlavourUse {
  const names = new Set<string>();
  let ours = 0;
  let rules = 0;
  for (const { tables } of saved) {
    for (const [name, chain] of [...tables.values()].flatMap((table) => [...table])) {
      if (isOurs(name)) {
        ours += chain.rules.length;
        continue;
      }
      names.add(name);
      // Our own jumps are in chains of others: they must never make a flavour look used (istio/istio#61020).
      rules += chain.rules.filter(({ text }) => !isOurs(target(text))).length;
    }
  }
  const found = [...names].sort();
  return {
    flavour,
    problem: undefined,
    ours,
    hints: found.filter((name) => HINTS.includes(name)),
    chains: found.filter((name) => CLUSTER_CHAINS.test(name) && !HINTS.includes(name)),
    rules,
  };
}

function target(rule: string): string {
  return / -[jg] (\S+)/.exec(rule)?.[1] ?? "";
}
