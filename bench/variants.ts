/** Each way of redirecting, with the figures it is held against. Milliseconds; on two cores. */
export interface Variant {
  readonly name: string;
  readonly plugin: "ebpf" | "iptables";
  readonly config: object;
  /** A full rebuild from nothing, of 300 workloads. */
  readonly rebuildTarget: number;
  /** The CNI plugin's ADD at the 99th percentile of 250 pods: started one after the other, and ten at once. */
  readonly cniAddTargets?: { readonly alone: number; readonly together: number };
}

/** One workload's redirection, at the 99th percentile. */
export const APPLY_TARGET = 200;

/** The CNI plugin's ADD where the agent answers at once: what the plugin itself adds to the start of a pod. */
export const CNI_OVERHEAD_TARGET = 5;

export const VARIANTS: readonly Variant[] = [
  { name: "iptables-nft", plugin: "iptables", config: { flavour: "nft" }, rebuildTarget: 5_000 },
  { name: "iptables-legacy", plugin: "iptables", config: { flavour: "legacy" }, rebuildTarget: 2_000 },
  {
    name: "ebpf-clsact",
    plugin: "ebpf",
    config: { attach: "clsact" },
    rebuildTarget: 2_000,
    cniAddTargets: { alone: 50, together: 50 },
  },
  {
    name: "ebpf-tcx",
    plugin: "ebpf",
    config: { attach: "tcx" },
    rebuildTarget: 15_000,
    cniAddTargets: { alone: 60, together: 500 },
  },
];
