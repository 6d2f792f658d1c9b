import type { BpfMap } from "libbpf-ts";
import { encodeAddress } from "../address-codec.ts";
import { eventsOfInterfaceCodec, memberCodec, u32Codec } from "../layout.ts";

export interface AskedMaps {
  /** `events_of` */
  readonly asked: BpfMap;
  readonly members: BpfMap;
}

/** Keeps the map `events_of` as what is asked for: addresses, and the host veths of the members that have them. */
export class AskedAddresses implements Disposable {
  readonly #maps: AskedMaps;
  readonly #addresses: () => readonly string[];
  #listed = new Map<string, Uint8Array>();

  /** Forgets what a reader has left that died. */
  constructor(maps: AskedMaps, addresses: () => readonly string[]) {
    this.#maps = maps;
    this.#addresses = addresses;
    for (const key of [...maps.asked.keys()]) maps.asked.delete(key);
  }

  /** Throws `E2BIG` for more than the map has room for. */
  renew(): void {
    const keys = this.#addresses().flatMap((address) => this.#keysOf(encodeAddress(address)));
    const wanted = new Map(keys.map((key) => [Buffer.from(key).toString("hex"), key]));
    for (const [name, key] of this.#listed) if (!wanted.has(name)) this.#maps.asked.delete(key);
    for (const [name, key] of wanted) if (!this.#listed.has(name)) this.#maps.asked.update(key, u32Codec.encode(1));
    this.#listed = wanted;
  }

  [Symbol.dispose](): void {
    for (const key of this.#listed.values()) this.#maps.asked.delete(key);
    this.#listed.clear();
  }

  #keysOf(address: Uint8Array): Uint8Array[] {
    const member = this.#maps.members.lookup(address);
    if (member === undefined) return [address];
    return [address, eventsOfInterfaceCodec.encode({ ifindex: memberCodec.decode(member).ifindex })];
  }
}
