import { KERNEL_LINES, type KernelLine } from "../kernels/archive.ts";

/** A line of Debian's kernels, or the machine's own. */
export const KERNELS = [...(Object.keys(KERNEL_LINES) as KernelLine[]), "host"] as const;
export type Kernel = (typeof KERNELS)[number];

/** A backend in one of its forms. */
export interface Variant {
  readonly name: string;
  readonly backend: "ebpf" | "iptables";
  /** How it attaches, or which iptables it writes rules with. */
  readonly mode: string;
  /** Arguments of the conformance command. */
  readonly arguments: string;
  /** The first Linux that has what it needs. */
  readonly since?: readonly [number, number];
}

/** tcx: kernel commit e420bed02507, Linux 6.6. */
const TCX = [6, 6] as const;

/** Services are translated by what the backend has to live with: nft beside eBPF, the same iptables beside iptables. */
export const VARIANTS: readonly Variant[] = [
  {
    name: "ebpf-tcx",
    backend: "ebpf",
    mode: "tcx",
    arguments: "--backend ebpf --attach tcx",
    since: TCX,
  },
  { name: "ebpf-clsact", backend: "ebpf", mode: "clsact", arguments: "--backend ebpf --attach clsact" },
  {
    name: "iptables-nft",
    backend: "iptables",
    mode: "nft",
    arguments: "--backend iptables --flavour nft --services iptables-nft",
  },
  {
    name: "iptables-legacy",
    backend: "iptables",
    mode: "legacy",
    arguments: "--backend iptables --flavour legacy --services iptables-legacy",
  },
];

/** The run that takes eBPF away and looks what `redirectMode: auto` chooses. */
export const SELECTION = "selection";

/** What a change must not break: all BPF programs and rules loaded, connections captured out and in by both backends. */
export const SMOKE = "smoke";
/** Each form of each backend is shown once: the older one of it on the older kernel. */
const SMOKE_OLD = "--attach clsact --flavour legacy";
const SMOKE_NEW = "--attach tcx --flavour nft";

export const RUNS = [...VARIANTS.map(({ name }) => name), SELECTION] as const;

/** One call of `guest/conformance.sh` names these. */
export interface Run {
  readonly name: string;
  readonly arguments: string;
}

/** What of `wanted` can be run on a kernel, in the order of {@link VARIANTS}; `only` limits the behaviours. */
export function runsOn(release: string, wanted: readonly string[], only: readonly string[] = []): Run[] {
  const limit = only.length === 0 ? "" : ` --only ${only.join(",")}`;
  const suites = VARIANTS.filter(({ name, since }) => wanted.includes(name) && isSince(release, since));
  return [
    ...suites.map((variant) => ({ name: variant.name, arguments: `${variant.arguments}${limit}` })),
    ...(wanted.includes(SELECTION) ? [{ name: SELECTION, arguments: "" }] : []),
    ...(wanted.includes(SMOKE) ? [{ name: SMOKE, arguments: isSince(release, TCX) ? SMOKE_NEW : SMOKE_OLD }] : []),
  ];
}

/** Whether `uname -r` says a kernel of this version or a later one. */
function isSince(release: string, since: readonly [number, number] = [0, 0]): boolean {
  const [major = 0, minor = 0] = release.split(/[.-]/).map(Number);
  return major > since[0] || (major === since[0] && minor >= since[1]);
}
