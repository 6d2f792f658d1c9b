import type { ShadowCount } from "@millrace/core";
import { type BpfMap, possibleCpus } from "libbpf-ts";
import { decodeU64, u32Codec, VERDICTS } from "../layout.ts";

type Verdict = (typeof VERDICTS)[number];

/** The two programs of `enum program` that a shadow stands for, in its order. */
const DIRECTIONS = ["outbound", "inbound"] as const;
/** struct shadow_count in bpf/include/shadow.h: connections, packets. */
export const COUNT_SIZE = 16;
export const COUNTS_SIZE = DIRECTIONS.length * VERDICTS.length * COUNT_SIZE;

/** What a verdict of the programs means for the packet. */
const FATES: Readonly<Record<Verdict, ShadowCount["fate"]>> = {
  passed: "let by",
  captured: "captured",
  drained: "captured",
  bypassed: "let by",
  delivered: "delivered",
  adopted: "let by",
  open: "let by",
  dropped_no_proxy: "dropped",
  dropped_no_listener: "dropped",
  dropped_unparsable: "dropped",
  dropped_error: "dropped",
  refused_collision: "dropped",
  refused_orphan: "dropped",
  copied: "let by",
  excluded: "let by",
  captured_dns: "captured",
};

/** The map `shadow_counts`: what is counted, by interface. */
export class WorkloadCounts {
  readonly #map: BpfMap;

  constructor(map: BpfMap) {
    this.#map = map;
  }

  /** Throws what updating the map does: there may be no room. */
  begin(ifindex: number): void {
    const key = u32Codec.encode(ifindex);
    if (this.#map.lookupPerCpu(key).length > 0) return;
    this.#map.updatePerCpu(
      key,
      Array.from({ length: possibleCpus() }, () => new Uint8Array(COUNTS_SIZE)),
    );
  }

  /** Of interfaces that are not counted any more. */
  end(isGone: (ifindex: number) => boolean): void {
    for (const key of [...this.#map.keys()]) if (isGone(u32Codec.decode(key))) this.#map.delete(key);
  }

  /** What was seen at all, summed over the CPUs. */
  of(ifindex: number): ShadowCount[] {
    const perCpu = this.#map.lookupPerCpu(u32Codec.encode(ifindex));
    return DIRECTIONS.flatMap((direction, program) =>
      VERDICTS.flatMap((verdict, index) => {
        const at = (program * VERDICTS.length + index) * COUNT_SIZE;
        const sum = (offset: number) =>
          Number(perCpu.reduce((total, bytes) => total + decodeU64(bytes.subarray(at + offset)), 0n));
        const [connections, packets] = [sum(0), sum(8)];
        return packets === 0 ? [] : [{ direction, verdict, fate: FATES[verdict], connections, packets }];
      }),
    );
  }
}
