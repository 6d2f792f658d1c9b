import { parseAddress } from "linux-ts";
import { concat, mac } from "./frames.ts";

/**
 * Keys and values of the maps, written by hand from include/layout.h. (The product's codec is in packages/plugin-ebpf; these tests
 * are for the programs, and share nothing with it.) All numbers little-endian, as on every machine that Node runs on.
 */

export const MAX_PROXIES = 8;
export const FAIL_OPEN = 0x1;
export const ROUTED = 0x2;
export const PASSING = 0x1;
export const JOINING = 0x8;
export const LEAVING = 0x10;
export const EXCLUDES = 0x2;
export const DNS = 0x4;
export const TAKES_DNS = 0x1;
export const NODE = 0x1;
export const PROXY = 0x2;

export const PROGRAMS = ["app_outbound", "app_inbound", "ztunnel_host_in", "ztunnel_tproxy", "ztunnel_lookup"] as const;
export const VERDICTS = [
  "passed",
  "captured",
  "drained",
  "bypassed",
  "delivered",
  "adopted",
  "open",
  "dropped_no_proxy",
  "dropped_no_listener",
  "dropped_unparsable",
  "dropped_error",
  "refused_collision",
  "refused_orphan",
  "copied",
  "excluded",
  "captured_dns",
] as const;

export type ProgramName = (typeof PROGRAMS)[number];
export type Verdict = (typeof VERDICTS)[number];

export const DIRECTION = { outbound: 0, inbound: 1, hbone: 2, dns: 4 } as const;

export function le32(value: number): Uint8Array {
  return new Uint8Array(Uint32Array.of(value).buffer);
}

export function le64(value: bigint): Uint8Array {
  return new Uint8Array(BigUint64Array.of(value).buffer);
}

export function readLe32(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
}

export function readLe64(bytes: Uint8Array): number {
  return Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
}

export function addressKey(text: string): Uint8Array {
  const bytes = parseAddress(text);
  return bytes.length === 16 ? bytes : concat(new Uint8Array(10), Uint8Array.of(0xff, 0xff), bytes);
}

export function settings({ active = 0, draining = 0, flags = 0 }): Uint8Array {
  return Uint8Array.of(active, draining, flags & 0xff, flags >> 8, 0, 0, 0, 0);
}

export interface ProxyEntry {
  readonly ifindex: number;
  readonly netnsid: number;
  readonly mac: string;
  readonly flags?: number;
}

export function proxy({ ifindex, netnsid, mac: text, flags = 0 }: ProxyEntry): Uint8Array {
  return concat(le32(ifindex), le32(netnsid), mac(text), Uint8Array.of(flags, 0));
}

const WAY = { outbound: 0, inbound: 1 } as const;
export type Way = keyof typeof WAY;

export function excludedPort(ifindex: number, way: Way, port: number): Uint8Array {
  return concat(le32(ifindex), Uint8Array.of(port >> 8, port & 0xff, WAY[way], 0));
}

/** `bits`: of the address in its own family. */
export function excludedNetwork(ifindex: number, way: Way, network: string, bits: number): Uint8Array {
  const mapped = network.includes(":") ? 0 : 96;
  return concat(le32(64 + mapped + bits), le32(ifindex), le32(WAY[way]), addressKey(network));
}

export function workload({ flags = 0, viaHost = 0, adoptUntilNs = 0n } = {}): Uint8Array {
  return concat(le32(flags), le32(viaHost), le64(adoptUntilNs));
}

export function member({ ifindex, mac: text }: { ifindex: number; mac: string }): Uint8Array {
  return concat(le32(ifindex), mac(text), new Uint8Array(2));
}

export function flow(source: string, sourcePort: number, destination: string, destinationPort: number): Uint8Array {
  const port = (value: number) => Uint8Array.of(value >> 8, value & 0xff);
  return concat(addressKey(source), addressKey(destination), port(sourcePort), port(destinationPort));
}
