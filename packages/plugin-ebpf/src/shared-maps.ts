import type { MapFill } from "@millrace/core";
import type { BpfMap } from "libbpf-ts";
import { ADDRESS_SIZE, decodeAddress, encodeAddress } from "./address-codec.ts";
import { ExclusionTables } from "./exclusion-tables.ts";
import {
  COUNTER_COUNT,
  counterName,
  decodeU64,
  MAX_PROXIES,
  type MemberEntry,
  memberCodec,
  type ProxyEntry,
  proxyCodec,
  type Settings,
  settingsCodec,
  u32Codec,
  type WorkloadEntry,
  workloadCodec,
} from "./layout.ts";
import { Table } from "./table.ts";

const addressCodec = { encode: encodeAddress, decode: decodeAddress };

/** The maps of the node object, typed. Reading always asks the kernel. */
export class SharedMaps {
  readonly workloads: Table<number, WorkloadEntry>;
  readonly members: Table<string, MemberEntry>;
  readonly addresses: Table<string, number>;
  readonly exclusions: ExclusionTables;
  readonly #settings: BpfMap;
  readonly #proxies: BpfMap;
  readonly #counters: BpfMap;
  readonly #viaHost: BpfMap;

  constructor(map: (name: string) => BpfMap) {
    this.workloads = new Table(map("workloads"), u32Codec, workloadCodec, "maxWorkloads");
    this.members = new Table(map("members"), addressCodec, memberCodec, "maxMembers");
    this.addresses = new Table(map("addresses"), addressCodec, u32Codec, "maxAddresses");
    this.exclusions = new ExclusionTables(map);
    this.#settings = map("settings");
    this.#proxies = map("proxies");
    this.#counters = map("counters");
    this.#viaHost = map("via_host");
  }

  settings(): Settings {
    return settingsCodec.decode(slot(this.#settings, 0));
  }

  writeSettings(settings: Settings): void {
    this.#settings.update(u32Codec.encode(0), settingsCodec.encode(settings));
  }

  proxy(index: number): ProxyEntry {
    return proxyCodec.decode(slot(this.#proxies, index));
  }

  writeProxy(index: number, proxy: ProxyEntry): void {
    this.#proxies.update(u32Codec.encode(index), proxyCodec.encode(proxy));
  }

  /** Slots whose entry names an interface. */
  occupiedProxies(): number[] {
    return Array.from({ length: MAX_PROXIES }, (_, index) => index).filter((index) => this.proxy(index).ifindex !== 0);
  }

  /** Forgets the connections that proxies opened to a member through the node's stack. `flow.source` is the member's address. */
  forgetViaHost(addresses: ReadonlySet<string>): void {
    for (const key of [...this.#viaHost.keys()]) {
      if (addresses.has(decodeAddress(key.subarray(0, ADDRESS_SIZE)))) this.#viaHost.delete(key);
    }
  }

  /** Of the maps that refuse an entry when they are full. Those of connections forget the least used one instead. */
  fills(): Record<string, MapFill> {
    return {
      workloads: this.workloads.fill(),
      members: this.members.fill(),
      addresses: this.addresses.fill(),
      ...this.exclusions.fills(),
    };
  }

  /** Sums over all CPUs, by `program.verdict`. */
  counters(): Record<string, number> {
    const sums: Record<string, number> = {};
    for (let index = 0; index < COUNTER_COUNT; index++) {
      const name = counterName(index);
      if (name === undefined) continue;
      const perCpu = this.#counters.lookupPerCpu(u32Codec.encode(index));
      sums[name] = Number(perCpu.reduce((sum, bytes) => sum + decodeU64(bytes), 0n));
    }
    return sums;
  }
}

/** An array map has every index from the start (kernel/bpf/arraymap.c), so there is always a value. */
function slot(map: BpfMap, index: number): Uint8Array {
  const value = map.lookup(u32Codec.encode(index));
  if (!value) throw new RangeError(`the map ${map.info.name} has no index ${index}`);
  return value;
}
