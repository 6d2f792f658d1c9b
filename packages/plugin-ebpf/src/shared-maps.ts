import type { MapFill } from "@millrace/core";
import type { BpfMap } from "libbpf-ts";
import type { ConntrackTuple } from "linux-ts";
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

/** enum via_host, in bpf/include/node-maps.h. */
const VIA_HOST = 1;

/** struct flow, in bpf/include/layout.h. */
function encodeFlow({ source, destination, sourcePort, destinationPort }: ConntrackTuple): Uint8Array {
  const bytes = new Uint8Array(2 * ADDRESS_SIZE + 4);
  bytes.set(encodeAddress(source));
  bytes.set(encodeAddress(destination), ADDRESS_SIZE);
  const view = new DataView(bytes.buffer);
  view.setUint16(2 * ADDRESS_SIZE, sourcePort, false);
  view.setUint16(2 * ADDRESS_SIZE + 2, destinationPort, false);
  return bytes;
}

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
  readonly #byHost: BpfMap;

  constructor(map: (name: string) => BpfMap) {
    this.workloads = new Table(map("workloads"), u32Codec, workloadCodec, "maxWorkloads");
    this.members = new Table(map("members"), addressCodec, memberCodec, "maxMembers");
    this.addresses = new Table(map("addresses"), addressCodec, u32Codec, "maxAddresses");
    this.exclusions = new ExclusionTables(map);
    this.#settings = map("settings");
    this.#proxies = map("proxies");
    this.#counters = map("counters");
    this.#viaHost = map("via_host");
    this.#byHost = map("by_host");
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

  /** What a member sends on this connection goes through the node's stack, which translates it. */
  sendViaHost(flow: ConntrackTuple): void {
    this.#viaHost.update(encodeFlow(flow), u32Codec.encode(VIA_HOST));
  }

  /** What a proxy sends to a member on this connection goes through the node's stack. */
  sendByHost(flow: ConntrackTuple): void {
    this.#byHost.update(encodeFlow(flow), u32Codec.encode(1));
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
