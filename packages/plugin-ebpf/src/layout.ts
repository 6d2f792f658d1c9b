import { endianness } from "node:os";
import { be16, bytes, macAddress, pad, struct, u8, u16, u32, u64 } from "./struct-codec.ts";

/**
 * The TypeScript half of `bpf/include/layout.h`. `layout.root.test.ts` compares every size and offset with the BTF of the compiled
 * object, so the two cannot drift apart unseen.
 */
export const LAYOUT_VERSION = 1;
export const MAX_PROXIES = 8;

export const SETTING_FAIL_OPEN = 0x1;
export const SETTING_ROUTED = 0x2;

export const PROXY_DNS = 0x1;

export const WORKLOAD_PASSING = 0x1;
export const WORKLOAD_EXCLUDES = 0x2;
export const WORKLOAD_DNS = 0x4;
export const WORKLOAD_JOINING = 0x8;
export const WORKLOAD_LEAVING = 0x10;

/** Value of `excluded_way` in keys: who begins the connection. */
export const EXCLUDED_WAY = { outbound: 0, inbound: 1 } as const;

/** Source MAC of what a proxy's rules lead to its DNS port. */
export const DIRECTION_MAC = {
  outbound: "02:4d:52:00:00:01",
  inbound: "02:4d:52:00:00:02",
  dns: "02:4d:52:00:00:03",
} as const;

export const ADDRESS_NODE = 0x1;
export const ADDRESS_PROXY = 0x2;

/** Value of the one entry of `settings`. `active` is slot + 1, `draining` a bit per slot. */
export const settingsCodec = struct(8, { active: u8(0), draining: u8(1), flags: u16(2), reserved: pad(4, 4) });
/** Value of `proxies`, key: slot. `ifindex` 0: the slot is free. */
export const proxyCodec = struct(16, {
  ifindex: u32(0),
  netnsid: u32(4),
  mac: macAddress(8),
  flags: u8(14),
  reserved: pad(15, 1),
});
/** Value of `workloads`, key: ifindex of the member's host veth. */
export const workloadCodec = struct(16, { flags: u32(0), via_host: u32(4), adopt_until_ns: u64(8) });
/** Value of `members`, key: address. */
export const memberCodec = struct(12, { ifindex: u32(0), mac: macAddress(4), reserved: pad(10, 2) });
/** Key of `excluded_ports`, value 1. */
export const excludedPortCodec = struct(8, { ifindex: u32(0), port: be16(4), way: u8(6), reserved: pad(7, 1) });
/** Key of `excluded_networks`, value 1. `prefix_bits` counts the two words after it too. */
export const excludedNetworkCodec = struct(28, {
  prefix_bits: u32(0),
  ifindex: u32(4),
  way: u32(8),
  address: bytes(12, 16),
});
/** A record of `events`. */
export const eventCodec = struct(56, {
  at_ns: u64(0),
  source: bytes(8, 16),
  destination: bytes(24, 16),
  source_port: be16(40),
  destination_port: be16(42),
  ifindex: u32(44),
  bytes: u32(48),
  program: u8(52),
  verdict: u8(53),
  tcp_flags: u8(54),
  reserved: pad(55, 1),
});
/** The one value of `events_wanted`. */
export const eventsWantedCodec = struct(16, { until_ns: u64(0), kinds: u32(8), reserved: pad(12, 4) });
export const EVENTS_STOPPED = 0x1;
export const EVENTS_BEGUN = 0x2;
export const EVENTS_OF_SOME = 0x4;
/** Key of `events_of` that names a host veth. */
export const eventsOfInterfaceCodec = struct(16, { nothing: pad(0, 12), ifindex: u32(12) });
/** Bits of a key of `excluded_networks` before those of the address. */
export const EXCLUDED_NETWORK_HEAD_BITS = 64;
/** Key of `flows`, `via_host`. */
export const FLOW_SIZE = 36;

export type Settings = ReturnType<typeof settingsCodec.decode>;
export type ProxyEntry = ReturnType<typeof proxyCodec.decode>;
export type WorkloadEntry = ReturnType<typeof workloadCodec.decode>;
export type MemberEntry = ReturnType<typeof memberCodec.decode>;

const LITTLE = endianness() === "LE";

/** A number as the kernel keeps it in a key or value: host byte order. */
export const u32Codec = {
  size: 4,
  encode(value: number): Uint8Array {
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setUint32(0, value, LITTLE);
    return bytes;
  },
  decode(bytes: Uint8Array): number {
    return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(0, LITTLE);
  },
} as const;

/** A counter of one CPU. */
export function decodeU64(bytes: Uint8Array): bigint {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getBigUint64(0, LITTLE);
}

export const PROGRAMS = ["app_outbound", "app_inbound", "ztunnel_host_in", "ztunnel_tproxy", "ztunnel_lookup"] as const;
export type ProgramName = (typeof PROGRAMS)[number];
/** Those of a shadow, which only count. */
export const SHADOW_PROGRAMS = ["shadow_outbound", "shadow_inbound"] as const;
export type ShadowProgramName = (typeof SHADOW_PROGRAMS)[number];
export const isOfShadow = (program: string): boolean => SHADOW_PROGRAMS.some((name) => name === program);

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

/** Name of the counter at an index of the map `counters`, for instance `app_outbound.captured`. */
export function counterName(index: number): string | undefined {
  const program = PROGRAMS[Math.floor(index / VERDICTS.length)];
  const verdict = VERDICTS[index % VERDICTS.length];
  return program && verdict ? `${program}.${verdict}` : undefined;
}

export const COUNTER_COUNT = PROGRAMS.length * VERDICTS.length;
