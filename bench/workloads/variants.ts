/** Each way of redirecting, with the figures it is held against. Milliseconds; for 300 workloads on two cores. */
export interface Variant {
  readonly name: string;
  readonly plugin: "ebpf" | "iptables";
  readonly config: object;
  /** A full rebuild from nothing. */
  readonly rebuildTarget: number;
}

/** One workload's redirection, at the 99th percentile. */
export const APPLY_TARGET = 200;

export const VARIANTS: readonly Variant[] = [
  { name: "iptables-nft", plugin: "iptables", config: { flavour: "nft" }, rebuildTarget: 5_000 },
  { name: "iptables-legacy", plugin: "iptables", config: { flavour: "legacy" }, rebuildTarget: 2_000 },
  { name: "ebpf-clsact", plugin: "ebpf", config: { attach: "clsact" }, rebuildTarget: 2_000 },
  { name: "ebpf-tcx", plugin: "ebpf", config: { attach: "tcx" }, rebuildTarget: 15_000 },
];
