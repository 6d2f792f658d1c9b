import { BULK, CONNECT, HTTP, LATENCY_CONNECTIONS, type Load, latency } from "./loads.ts";
import { figureOf, type Rig, type Sample } from "./sample.ts";
import { type Spread, spread } from "./spread.ts";
import { invalidRow } from "./validity.ts";

/** One mode's figure divided by another's of the same repetition: on one processor, on one node. */
export interface RatioKind {
  readonly name: string;
  readonly load: Load;
  /** Default: the light one. */
  readonly rig?: Rig;
  readonly of: string;
  readonly to: string;
}

/** `each`: by repetition. */
export type Ratio = { readonly name: string } & (
  | { readonly spread: Spread; readonly each: readonly number[]; readonly invalid?: undefined }
  | { readonly invalid: string; readonly spread?: undefined }
);

/** `ebpf` and `iptables` are what `auto` takes on a kernel of today: tcx, and nft. */
const [EBPF, IPTABLES] = ["ebpf-tcx", "iptables-nft"];
const P75 = latency(LATENCY_CONNECTIONS);

export const RATIOS: readonly RatioKind[] = [
  { name: "http-explicit/direct", load: HTTP, of: "explicit", to: "direct" },
  { name: "http-ebpf/direct", load: HTTP, of: EBPF, to: "direct" },
  { name: "http-ebpf-clsact/direct", load: HTTP, of: "ebpf-clsact", to: "direct" },
  { name: "http-iptables/direct", load: HTTP, of: IPTABLES, to: "direct" },
  { name: "http-iptables-legacy/direct", load: HTTP, of: "iptables-legacy", to: "direct" },
  { name: "http-ebpf/iptables", load: HTTP, of: EBPF, to: IPTABLES },
  { name: "http-ebpf/explicit", load: HTTP, of: EBPF, to: "explicit" },
  { name: "bulk-ebpf/direct", load: BULK, of: EBPF, to: "direct" },
  { name: "bulk-ebpf/explicit", load: BULK, of: EBPF, to: "explicit" },
  { name: "connect-ebpf/direct", load: CONNECT, of: EBPF, to: "direct" },
  { name: "connect-ebpf/explicit", load: CONNECT, of: EBPF, to: "explicit" },
  { name: "p75-ebpf/direct", load: P75, of: EBPF, to: "direct" },
  { name: "p75-ebpf/iptables", load: P75, of: EBPF, to: IPTABLES },
  { name: "haproxy-http-ebpf/direct", rig: "haproxy", load: HTTP, of: EBPF, to: "direct" },
  { name: "haproxy-http-ebpf/explicit", rig: "haproxy", load: HTTP, of: EBPF, to: "explicit" },
  { name: "haproxy-http-iptables/explicit", rig: "haproxy", load: HTTP, of: IPTABLES, to: "explicit" },
  { name: "haproxy-connect-ebpf/explicit", rig: "haproxy", load: CONNECT, of: EBPF, to: "explicit" },
];

/** Those of {@link RATIOS} whose both modes were measured. */
export function ratios(samples: readonly Sample[]): Ratio[] {
  const own = samples.filter(({ pinning, path }) => pinning === "one-cpu" && path === "same-node");
  return RATIOS.flatMap(({ name, load, rig = "light", of, to }): Ratio[] => {
    const row = own.filter((sample) => sample.rig === rig && sample.load.name === load.name);
    const [upper, lower] = [of, to].map((mode) => row.filter((sample) => sample.mode === mode));
    if (upper === undefined || lower === undefined || upper.length === 0 || lower.length === 0) return [];
    // A latency is compared with those of all modes or of none: where one could not keep up, the load was not the same.
    const invalid = invalidRow(load.figure === "p75" ? row : [...upper, ...lower]);
    if (invalid !== undefined) return [{ name, invalid }];
    const pairs = upper.flatMap((sample) => {
      const beside = lower.find(({ repetition }) => repetition === sample.repetition);
      return beside === undefined ? [] : [figureOf(sample) / figureOf(beside)];
    });
    return pairs.length === 0 ? [] : [{ name, spread: spread(pairs), each: pairs }];
  });
}

/** `ratio NAME VALUE (min MIN, max MAX, n N)` */
export function ratioLine({ name, spread, invalid }: Ratio): string {
  if (spread === undefined) return `ratio ${name} invalid (${invalid})`;
  const { median, min, max, n } = spread;
  return `ratio ${name} ${median.toFixed(3)} (min ${min.toFixed(3)}, max ${max.toFixed(3)}, n ${n})`;
}
