type Backend = "ebpf" | "iptables";

/** One way to redirect: backend and how it does it. */
export interface Variant {
  readonly name: string;
  readonly backend: Backend;
  /** The backend that a switch leads to. */
  readonly other: Backend;
  /** Of both. */
  readonly backends: Readonly<Record<Backend, Readonly<Record<string, unknown>>>>;
  /** Of iptables on the node: the backend's own, or any. */
  readonly flavour: "nft" | "legacy";
}

/** What goes away only after a while (`releaseSeconds`) is to go within a test. */
const RELEASE = { releaseSeconds: 1 };

function variant(backend: Backend, attach: "tcx" | "clsact", flavour: "nft" | "legacy"): Variant {
  return {
    name: `${backend}-${backend === "ebpf" ? attach : flavour}`,
    backend,
    other: backend === "ebpf" ? "iptables" : "ebpf",
    backends: { ebpf: { attach, ...RELEASE }, iptables: { flavour, ...RELEASE } },
    flavour,
  };
}

export const VARIANTS: readonly Variant[] = [
  variant("ebpf", "tcx", "nft"),
  variant("ebpf", "clsact", "nft"),
  variant("iptables", "tcx", "nft"),
  variant("iptables", "clsact", "legacy"),
];
