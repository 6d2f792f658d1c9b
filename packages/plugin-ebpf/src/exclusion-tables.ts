import { BlockList, isIPv6 } from "node:net";
import type { Exclusions, MapFill } from "@millrace/core";
import type { BpfMap } from "libbpf-ts";
import { ADDRESS_SIZE, decodeAddress } from "./address-codec.ts";
import {
  compareExclusions,
  type ExcludedNetwork,
  type ExcludedPort,
  type ExclusionKey,
  networkCodec,
  portCodec,
  type Way,
} from "./exclusions.ts";
import { u32Codec } from "./layout.ts";
import { Table } from "./table.ts";

const PRESENT = 1;

/** What workloads exclude, by interface, and the connections that were excluded. */
export class ExclusionTables {
  readonly #ports: Table<ExcludedPort, number>;
  readonly #networks: Table<ExcludedNetwork, number>;
  readonly #connections: BpfMap;

  constructor(map: (name: string) => BpfMap) {
    this.#ports = new Table(map("excluded_ports"), portCodec, u32Codec, "maxExclusions");
    this.#networks = new Table(map("excluded_networks"), networkCodec, u32Codec, "maxExclusions");
    this.#connections = map("excluded");
  }

  /**
   * Makes a workload exclude these and nothing else. What goes is removed before anything is added, so that a full map refuses no
   * more than it must. Throws `ERR_MAP_FULL`: then less is excluded than was asked for.
   */
  write(ifindex: number, exclusions: Exclusions): void {
    const { missing, leftOver } = compareExclusions(ifindex, exclusions, this.byInterface().get(ifindex) ?? []);
    for (const key of leftOver) this.#delete(key);
    for (const key of missing) {
      if ("port" in key) this.#ports.set(key, PRESENT);
      else this.#networks.set(key, PRESENT);
    }
  }

  /** What is excluded, by the interface that it is excluded for. */
  byInterface(): ReadonlyMap<number, readonly ExclusionKey[]> {
    return Map.groupBy(this.#all(), ({ ifindex }) => ifindex);
  }

  /** The exclusion that names a connection, as bpf/include/exclusion.h asks for it: the port first, then the longest network. */
  naming(ifindex: number, way: Way, port: number, peer: string): ExcludedPort | ExcludedNetwork | undefined {
    const byPort = { ifindex, way, port };
    if (this.#ports.get(byPort) !== undefined) return byPort;
    const whole = `${peer}/${peer.includes(":") ? 128 : 32}`;
    if (this.#networks.get({ ifindex, way, cidr: whole }) === undefined) return undefined;
    // The kernel says that one fits, not which.
    const fitting = [...this.#networks.entries()]
      .map(([key]) => key)
      .filter((key) => key.ifindex === ifindex && key.way === way && isWithin(peer, key.cidr));
    return fitting.sort((a, b) => lengthOf(b.cidr) - lengthOf(a.cidr))[0];
  }

  /** Removes what the given interfaces exclude. */
  remove(isGone: (ifindex: number) => boolean): void {
    for (const key of [...this.#all()]) if (isGone(key.ifindex)) this.#delete(key);
  }

  /** Forgets the excluded connections of a workload that goes: its addresses are another's next. */
  forgetConnections(addresses: ReadonlySet<string>): void {
    for (const key of [...this.#connections.keys()]) {
      // As packets to the member show it: the second address of the flow is the member's.
      if (addresses.has(decodeAddress(key.subarray(ADDRESS_SIZE, 2 * ADDRESS_SIZE)))) this.#connections.delete(key);
    }
  }

  fills(): Record<string, MapFill> {
    return { excluded_ports: this.#ports.fill(), excluded_networks: this.#networks.fill() };
  }

  *#all(): Generator<ExclusionKey> {
    for (const [key] of this.#ports.entries()) yield key;
    for (const [key] of this.#networks.entries()) yield key;
  }

  #delete(key: ExclusionKey): void {
    if ("port" in key) this.#ports.delete(key);
    else this.#networks.delete(key);
  }
}

const lengthOf = (cidr: string): number => Number(cidr.split("/")[1]);

function isWithin(address: string, cidr: string): boolean {
  const network = cidr.replace(/\/.*$/, "");
  const type = isIPv6(network) ? "ipv6" : "ipv4";
  const list = new BlockList();
  list.addSubnet(network, lengthOf(cidr), type);
  return list.check(address, isIPv6(address) ? "ipv6" : "ipv4");
}
