import type { BpfMap } from "libbpf-ts";
import { decodeAddress, encodeAddress } from "../address-codec.ts";
import { decodeU64, u32Codec } from "../layout.ts";
import { Table } from "../table.ts";
import { ACCELERATION_COUNTERS, type NamespaceEntry, namespaceCodec } from "./layout.ts";

/** A netns cookie, as a key and as a value. */
const cookieCodec = {
  encode: (cookie: bigint): Uint8Array => new Uint8Array(BigUint64Array.of(cookie).buffer),
  decode: decodeU64,
};

/** The maps of the acceleration, typed. */
export class AccelerationMaps {
  /** Key: netns cookie. */
  readonly namespaces: Table<bigint, NamespaceEntry>;
  /** Address of a member to its netns cookie. */
  readonly accelerated: Table<string, bigint>;
  readonly #counters: BpfMap;

  constructor(map: (name: string) => BpfMap) {
    this.namespaces = new Table(map("namespaces"), cookieCodec, namespaceCodec, "nothing: it is as large as it can be");
    const address = { encode: encodeAddress, decode: decodeAddress };
    this.accelerated = new Table(map("accelerated"), address, cookieCodec, "nothing: it is as large as it can be");
    this.#counters = map("counters");
  }

  /** Sums over all CPUs, by `program.verdict`. */
  counters(): Record<string, number> {
    return Object.fromEntries(
      ACCELERATION_COUNTERS.map((name, index) => {
        const perCpu = this.#counters.lookupPerCpu(u32Codec.encode(index));
        return [name, Number(perCpu.reduce((sum, bytes) => sum + decodeU64(bytes), 0n))];
      }),
    );
  }
}
