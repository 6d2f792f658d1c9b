/** One way to redirect: backend and how it does it. */
export interface Variant {
  readonly name: string;
  readonly backend: "ebpf" | "iptables";
  readonly config: Readonly<Record<string, unknown>>;
  /** Of iptables on the node: the backend's own, or any. */
  readonly flavour: "nft" | "legacy";
}

/** What goes away only after a while (`releaseSeconds`) is to go within a test. */
const RELEASE = { releaseSeconds: 1 };

export const VARIANTS: readonly Variant[] = [
  { name: "ebpf-tcx", backend: "ebpf", config: { attach: "tcx", ...RELEASE }, flavour: "nft" },
  { name: "ebpf-clsact", backend: "ebpf", config: { attach: "clsact", ...RELEASE }, flavour: "nft" },
  { name: "iptables-nft", backend: "iptables", config: { flavour: "nft", ...RELEASE }, flavour: "nft" },
  { name: "iptables-legacy", backend: "iptables", config: { flavour: "legacy", ...RELEASE }, flavour: "legacy" },
];
