import { struct, u32 } from "../struct-codec.ts";

/** The TypeScript half of `bpf/include/acceleration.h`. */
export const SIDE = { member: 0, proxy: 1 } as const;

/** Value of `namespaces`, key: netns cookie. */
export const namespaceCodec = struct(8, { side: u32(0), ifindex: u32(4) });
export type NamespaceEntry = ReturnType<typeof namespaceCodec.decode>;

export const ACCELERATION_PROGRAMS = ["leg_opened", "leg_sends", "leg_option"] as const;

/** Names of the counters, in the order of `enum acceleration_count`: `program.verdict`, as those of the packets' programs. */
export const ACCELERATION_COUNTERS = [
  "leg_opened.opened",
  "leg_opened.not_opened",
  "leg_sends.redirected",
  "leg_sends.redirected_bytes",
  "leg_sends.tcp_alone",
  "leg_sends.tcp_ended",
  "leg_opened.tcp_before",
  "leg_option.refused_ktls",
] as const;
