import { parseAddress } from "linux-ts";

/** Made-up Ethernet frames, headers in network byte order. */

export const ETHERTYPE = { ipv4: 0x0800, ipv6: 0x86dd, arp: 0x0806, vlan: 0x8100, qinq: 0x88a8 } as const;
export const PROTOCOL = {
  hopByHop: 0,
  icmp: 1,
  tcp: 6,
  udp: 17,
  routing: 43,
  fragment: 44,
  esp: 50,
  ah: 51,
  icmpv6: 58,
  noNext: 59,
  destinationOptions: 60,
  mobility: 135,
  hip: 139,
  shim6: 140,
} as const;

export const FIN = 0x01;
export const SYN = 0x02;
export const RST = 0x04;
export const ACK = 0x10;

export const MAC_OUTBOUND = "02:4d:52:00:00:01";
export const MAC_INBOUND = "02:4d:52:00:00:02";
export const MAC_DNS = "02:4d:52:00:00:03";
const MAC_A = "02:00:00:00:00:0a";
const MAC_B = "02:00:00:00:00:0b";

export interface Endpoints {
  readonly source: string;
  readonly destination: string;
  readonly sourcePort: number;
  readonly destinationPort: number;
}

export interface TcpSpec extends Endpoints {
  readonly flags?: number;
  readonly sequence?: number;
  readonly options?: Uint8Array;
  readonly payload?: Uint8Array;
}

export interface IpSpec {
  readonly source: string;
  readonly destination: string;
  readonly protocol: number;
  readonly payload: Uint8Array;
  /** IPv4: header options, a multiple of four bytes. */
  readonly options?: Uint8Array;
  /** IPv4: flags and fragment offset. */
  readonly fragment?: number;
  /** Total length (IPv4) or payload length (IPv6), if it is to be wrong. */
  readonly length?: number;
  /** First byte of the header, if it is to be wrong. */
  readonly first?: number;
}

export const isIpv6 = (address: string) => address.includes(":");

export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

export const u8 = (...bytes: readonly number[]) => Uint8Array.from(bytes);
export const u16 = (value: number) => u8((value >> 8) & 0xff, value & 0xff);
export const u32 = (value: number) =>
  u8((value >>> 24) & 0xff, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff);
export const zeros = (count: number) => new Uint8Array(count);

export function mac(text: string): Uint8Array {
  return Uint8Array.from(text.split(":"), (byte) => Number.parseInt(byte, 16));
}

/** The bytes of an address in its own family. */
export function address(text: string): Uint8Array {
  return parseAddress(text);
}

/** RFC 1071. */
export function checksum(bytes: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 2) sum += ((bytes[i] ?? 0) << 8) | (bytes[i + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

export function pseudoHeader(source: string, destination: string, protocol: number, length: number): Uint8Array {
  return concat(address(source), address(destination), u32(length), u32(protocol));
}

/** A TCP segment with a right checksum. */
export function tcpSegment(spec: TcpSpec): Uint8Array {
  const { options = zeros(0), payload = zeros(0), sequence = 1000, flags = SYN } = spec;
  const words = 5 + options.length / 4;
  const acknowledgement = flags & ACK ? 2000 : 0;
  const segment = concat(
    u16(spec.sourcePort),
    u16(spec.destinationPort),
    u32(sequence),
    u32(acknowledgement),
    u8(words << 4, flags),
    u16(65535),
    zeros(4),
    options,
    payload,
  );
  const sum = checksum(concat(pseudoHeader(spec.source, spec.destination, PROTOCOL.tcp, segment.length), segment));
  segment.set(u16(sum), 16);
  return segment;
}

/** An IP packet; its family is that of the source. */
export function ip(spec: IpSpec): Uint8Array {
  return isIpv6(spec.source) ? ipv6(spec) : ipv4(spec);
}

function ipv4({ options = zeros(0), fragment = 0, payload, ...spec }: IpSpec): Uint8Array {
  const words = 5 + options.length / 4;
  const header = concat(
    u8(spec.first ?? 0x40 | words, 0),
    u16(spec.length ?? words * 4 + payload.length),
    u16(7),
    u16(fragment),
    u8(64, spec.protocol, 0, 0),
    address(spec.source),
    address(spec.destination),
    options,
  );
  header.set(u16(checksum(header)), 10);
  return concat(header, payload);
}

function ipv6({ payload, ...spec }: IpSpec): Uint8Array {
  return concat(
    u8(spec.first ?? 0x60, 0, 0, 0),
    u16(spec.length ?? payload.length),
    u8(spec.protocol, 64),
    address(spec.source),
    address(spec.destination),
    payload,
  );
}

export function ethernet(type: number, payload: Uint8Array, { to = MAC_B, from = MAC_A } = {}): Uint8Array {
  return concat(mac(to), mac(from), u16(type), payload);
}

/** An IP packet in a frame. */
export function ipFrame(spec: IpSpec, macs: { to?: string; from?: string } = {}): Uint8Array {
  return ethernet(isIpv6(spec.source) ? ETHERTYPE.ipv6 : ETHERTYPE.ipv4, ip(spec), macs);
}

export function tcpFrame(spec: TcpSpec, macs: { to?: string; from?: string } = {}): Uint8Array {
  const { source, destination } = spec;
  return ipFrame({ source, destination, protocol: PROTOCOL.tcp, payload: tcpSegment(spec) }, macs);
}

/** IPv6 extension headers of the common form (RFC 8200 section 4), padded with zeros. */
export function extension(next: number, units = 0): Uint8Array {
  return concat(u8(next, units), zeros(6 + units * 8));
}

/** RFC 8200 section 4.5; `offset` in units of eight bytes. */
export function fragmentHeader(next: number, { offset = 0, more = false } = {}): Uint8Array {
  return concat(u8(next, 0), u16((offset << 3) | (more ? 1 : 0)), u32(99));
}

/** RFC 4302; its length is in words minus two. */
export function authenticationHeader(next: number, words = 4): Uint8Array {
  return concat(u8(next, words), zeros(6 + words * 4));
}

/** An ICMP or ICMPv6 error that quotes a packet. */
export function icmpError(spec: {
  source: string;
  destination: string;
  type: number;
  code?: number;
  mtu?: number;
  quoted: Uint8Array;
}) {
  const v6 = isIpv6(spec.source);
  const rest = v6 ? u32(spec.mtu ?? 0) : concat(zeros(2), u16(spec.mtu ?? 0));
  const message = concat(u8(spec.type, spec.code ?? 0), zeros(2), rest, spec.quoted);
  const protocol = v6 ? PROTOCOL.icmpv6 : PROTOCOL.icmp;
  const covered = v6 ? concat(pseudoHeader(spec.source, spec.destination, protocol, message.length), message) : message;
  message.set(u16(checksum(covered)), 2);
  return ipFrame({ source: spec.source, destination: spec.destination, protocol, payload: message });
}
