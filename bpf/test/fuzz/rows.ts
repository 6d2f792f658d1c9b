/** What the programs at a member's veth do with a frame, as long as nothing but its shape decides. */
export type Fate = "captured" | "dropped_unparsable" | "passed";

/** A row of the table in docs/data-path.md; a test compares the two. */
export interface Row {
  readonly shape: string;
  /** Whether it is TCP: `maybe` if it cannot be told, as the headers cannot be followed. */
  readonly tcp: "yes" | "maybe" | "no";
  readonly fate: Fate;
}

export const ROWS = {
  ipv4: { shape: "IPv4, TCP", tcp: "yes", fate: "captured" },
  "ipv4-options": { shape: "IPv4 with options, TCP", tcp: "yes", fate: "captured" },
  "ipv4-ah": { shape: "IPv4, up to eight AH, TCP", tcp: "yes", fate: "captured" },
  "ipv4-first": { shape: "IPv4, first fragment with the whole TCP header", tcp: "yes", fate: "captured" },
  "ipv4-later": { shape: "IPv4, later fragment of TCP", tcp: "yes", fate: "captured" },
  ipv6: { shape: "IPv6, TCP", tcp: "yes", fate: "captured" },
  "ipv6-hop-by-hop": { shape: "IPv6, hop-by-hop options, TCP", tcp: "yes", fate: "captured" },
  "ipv6-routing": { shape: "IPv6, routing header, TCP", tcp: "yes", fate: "captured" },
  "ipv6-destination": { shape: "IPv6, destination options, TCP", tcp: "yes", fate: "captured" },
  "ipv6-atomic": { shape: "IPv6, Fragment header of a whole packet, TCP", tcp: "yes", fate: "captured" },
  "ipv6-ah": { shape: "IPv6, AH, TCP", tcp: "yes", fate: "captured" },
  "ipv6-mobility": { shape: "IPv6, mobility header, TCP", tcp: "yes", fate: "captured" },
  "ipv6-hip": { shape: "IPv6, HIP, TCP", tcp: "yes", fate: "captured" },
  "ipv6-shim6": { shape: "IPv6, Shim6, TCP", tcp: "yes", fate: "captured" },
  "ipv6-chain": { shape: "IPv6, two to eight extension headers, TCP", tcp: "yes", fate: "captured" },
  "ipv6-first": { shape: "IPv6, first fragment with the whole TCP header", tcp: "yes", fate: "captured" },
  "ipv6-later": { shape: "IPv6, later fragment of TCP", tcp: "yes", fate: "captured" },
  "ipv4-tcp-cut": { shape: "IPv4, TCP header cut off or too short", tcp: "yes", fate: "dropped_unparsable" },
  "ipv6-tcp-cut": { shape: "IPv6, TCP header cut off or too short", tcp: "yes", fate: "dropped_unparsable" },
  "ipv4-first-cut": { shape: "IPv4, first fragment without it", tcp: "yes", fate: "dropped_unparsable" },
  "ipv6-first-cut": { shape: "IPv6, first fragment without it", tcp: "yes", fate: "dropped_unparsable" },
  "ipv4-first-split": { shape: "IPv4, first fragment with AH before TCP", tcp: "yes", fate: "dropped_unparsable" },
  "ipv6-first-split": {
    shape: "IPv6, first fragment with extension headers between Fragment header and TCP",
    tcp: "yes",
    fate: "dropped_unparsable",
  },
  "ipv4-header": {
    shape: "IPv4 header cut off, too short or of another version",
    tcp: "maybe",
    fate: "dropped_unparsable",
  },
  "ipv6-header": { shape: "IPv6 header cut off or of another version", tcp: "maybe", fate: "dropped_unparsable" },
  "ipv4-chain-bad": { shape: "IPv4, AH cut off, or more than eight", tcp: "maybe", fate: "dropped_unparsable" },
  "ipv6-chain-cut": { shape: "IPv6, extension header cut off", tcp: "maybe", fate: "dropped_unparsable" },
  "ipv6-chain-long": { shape: "IPv6, more than eight extension headers", tcp: "maybe", fate: "dropped_unparsable" },
  "tag-8021q": { shape: "802.1Q tag in the frame", tcp: "maybe", fate: "dropped_unparsable" },
  "tag-8021ad": { shape: "802.1ad tag in the frame", tcp: "maybe", fate: "dropped_unparsable" },
  "not-ip": { shape: "neither IPv4 nor IPv6", tcp: "no", fate: "passed" },
  "ipv4-other": { shape: "IPv4, another protocol", tcp: "no", fate: "passed" },
  "ipv4-ah-other": { shape: "IPv4, AH, another protocol", tcp: "no", fate: "passed" },
  "ipv4-later-other": { shape: "IPv4, later fragment of another protocol or of AH", tcp: "no", fate: "passed" },
  "ipv6-other": { shape: "IPv6, another protocol", tcp: "no", fate: "passed" },
  "ipv6-chain-other": { shape: "IPv6, extension headers, another protocol or none", tcp: "no", fate: "passed" },
  "ipv6-later-other": { shape: "IPv6, later fragment of another protocol", tcp: "no", fate: "passed" },
  "ipv6-later-chain": { shape: "IPv6, later fragment that names an extension header", tcp: "no", fate: "passed" },
} as const satisfies Record<string, Row>;

export type RowId = keyof typeof ROWS;
export const ROW_IDS = Object.keys(ROWS) as RowId[];
export const rowOf = (id: RowId): Row => ROWS[id];
