import type { RowId } from "./rows.ts";

/**
 * Which row of the table in docs/data-path.md a frame belongs to. Written from that table, RFC 791, 4302, 8200 and 9293 alone: it shares no line with
 * the programs, nor with what makes up the frames.
 */
export interface Judgement {
  readonly row: RowId;
  /** Of the upper layer, where the row says that it was found; else -1. */
  readonly protocol: number;
  /** Where that layer begins, in bytes from the start of the frame. */
  readonly offset: number;
  /** Where the IP packet ends. */
  readonly end: number;
}

const ETHERNET = 14;
const TCP = 6;
const FRAGMENT = 44;
const AH = 51;
const SINGLE_HEADER_ROWS: Readonly<Record<number, RowId>> = {
  0: "ipv6-hop-by-hop",
  43: "ipv6-routing",
  [FRAGMENT]: "ipv6-atomic",
  [AH]: "ipv6-ah",
  60: "ipv6-destination",
  135: "ipv6-mobility",
  139: "ipv6-hip",
  140: "ipv6-shim6",
};
const isExtension = (protocol: number) => protocol in SINGLE_HEADER_ROWS;
const LONGEST_CHAIN = 8;

const byte = (frame: Uint8Array, at: number) => frame[at] ?? 0;
const word = (frame: Uint8Array, at: number) => (byte(frame, at) << 8) | byte(frame, at + 1);
const found = (row: RowId, protocol = -1, offset = 0, end = 0): Judgement => ({ row, protocol, offset, end });

export function judge(frame: Uint8Array): Judgement {
  switch (word(frame, 12)) {
    case 0x0800:
      return judgeIpv4(frame);
    case 0x86dd:
      return judgeIpv6(frame);
    case 0x8100:
      return found("tag-8021q");
    case 0x88a8:
      return found("tag-8021ad");
    default:
      return found("not-ip");
  }
}

function judgeIpv4(frame: Uint8Array): Judgement {
  const version = byte(frame, ETHERNET) >> 4;
  const headerBytes = (byte(frame, ETHERNET) & 0xf) * 4;
  if (frame.length < ETHERNET + 20 || version !== 4 || headerBytes < 20) return found("ipv4-header");
  const end = packetEnd(frame, word(frame, ETHERNET + 2));
  let at = ETHERNET + headerBytes;
  if (at > end) return found("ipv4-header");
  let protocol = byte(frame, ETHERNET + 9);
  const fragment = word(frame, ETHERNET + 6);
  if (fragment & 0x1fff) return found(protocol === TCP ? "ipv4-later" : "ipv4-later-other", protocol, at, end);
  const isFirst = (fragment & 0x2000) !== 0;

  let headers = 0;
  for (; protocol === AH; headers++) {
    const next = at + (byte(frame, at + 1) + 2) * 4;
    if (headers === LONGEST_CHAIN || at + 4 > end || next > end) return found("ipv4-chain-bad");
    protocol = byte(frame, at);
    at = next;
  }
  if (protocol !== TCP) return found(headers ? "ipv4-ah-other" : "ipv4-other", protocol, at, end);
  if (isFirst && headers) return found("ipv4-first-split");
  if (!hasTcpHeader(frame, at, end)) return found(isFirst ? "ipv4-first-cut" : "ipv4-tcp-cut");
  if (isFirst) return found("ipv4-first", TCP, at, end);
  if (headers) return found("ipv4-ah", TCP, at, end);
  return found(headerBytes > 20 ? "ipv4-options" : "ipv4", TCP, at, end);
}

function judgeIpv6(frame: Uint8Array): Judgement {
  if (frame.length < ETHERNET + 40 || byte(frame, ETHERNET) >> 4 !== 6) return found("ipv6-header");
  const payload = word(frame, ETHERNET + 4);
  const end = packetEnd(frame, payload && payload + 40);
  let at = ETHERNET + 40;
  let protocol = byte(frame, ETHERNET + 6);
  const chain: number[] = [];
  let isFirst = false;
  let isSplit = false;

  while (isExtension(protocol)) {
    if (chain.length === LONGEST_CHAIN) return found("ipv6-chain-long");
    const next = at + extensionBytes(protocol, byte(frame, at + 1));
    if (at + 4 > end || next > end) return found("ipv6-chain-cut");
    chain.push(protocol);
    isSplit ||= isFirst;
    const fragment = protocol === FRAGMENT ? word(frame, at + 2) : 0;
    const following = byte(frame, at);
    if (fragment >> 3) return laterFragment(following, isSplit, next, end);
    isFirst ||= (fragment & 1) !== 0;
    protocol = following;
    at = next;
  }
  if (protocol !== TCP) return found(chain.length ? "ipv6-chain-other" : "ipv6-other", protocol, at, end);
  if (isSplit) return found("ipv6-first-split");
  if (!hasTcpHeader(frame, at, end)) return found(isFirst ? "ipv6-first-cut" : "ipv6-tcp-cut");
  if (isFirst) return found("ipv6-first", TCP, at, end);
  const [first] = chain;
  if (first === undefined) return found("ipv6", TCP, at, end);
  return found(chain.length === 1 ? (SINGLE_HEADER_ROWS[first] ?? "ipv6-chain") : "ipv6-chain", TCP, at, end);
}

function laterFragment(protocol: number, isSplit: boolean, at: number, end: number): Judgement {
  if (isExtension(protocol)) return found("ipv6-later-chain", protocol, at, end);
  if (protocol !== TCP) return found("ipv6-later-other", protocol, at, end);
  return isSplit ? found("ipv6-first-split") : found("ipv6-later", protocol, at, end);
}

/** A length of zero is BIG TCP or a jumbogram: all of the frame. What is missing of a packet is missing at its end. */
function packetEnd(frame: Uint8Array, bytes: number): number {
  return bytes === 0 ? frame.length : Math.min(frame.length, ETHERNET + bytes);
}

function extensionBytes(protocol: number, length: number): number {
  if (protocol === FRAGMENT) return 8;
  return protocol === AH ? (length + 2) * 4 : (length + 1) * 8;
}

function hasTcpHeader(frame: Uint8Array, at: number, end: number): boolean {
  const bytes = (byte(frame, at + 12) >> 4) * 4;
  return at + 20 <= end && bytes >= 20 && at + bytes <= end;
}
