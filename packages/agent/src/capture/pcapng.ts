/*
 * Blocks of a capture file as draft-ietf-opsawg-pcapng has them. Of our own: what npm has (pcap-ng-parser) reads, and writes nothing. Numbers are
 * little-endian, which the section header's byte-order magic says.
 */

const SECTION_HEADER = 0x0a0d0d0a;
const INTERFACE_DESCRIPTION = 1;
const INTERFACE_STATISTICS = 5;
const ENHANCED_PACKET = 6;
const BYTE_ORDER_MAGIC = 0x1a2b3c4d;
const VERSION = { major: 1, minor: 0 };
const LENGTH_UNKNOWN = 0xffffffffffffffffn;

const OPT_END = 0;
const OPT_COMMENT = 1;
const SHB_OS = 3;
const SHB_USER_APPLICATION = 4;
const IF_NAME = 2;
const IF_DESCRIPTION = 3;
const IF_TIME_RESOLUTION = 9;
const EPB_FLAGS = 2;
const ISB_OS_DROPS = 7;
/** Of if_tsresol: ten to the power of minus nine. */
const NANOSECONDS = 9;

/** Link-layer header types (tcpdump.org/linktypes). */
export const LINKTYPE_ETHERNET = 1;
export const LINKTYPE_RAW_IP = 101;

export interface CapturedInterface {
  readonly linkType: number;
  readonly snapLength: number;
  readonly name: string;
  readonly description: string;
}

export interface CapturedPacket {
  /** Counted from the first interface description of the file, which is 0. */
  readonly interfaceId: number;
  /** Nanoseconds since 1970. */
  readonly atNs: bigint;
  /** On the wire, of which `bytes` may be the beginning. */
  readonly length: number;
  readonly bytes: Uint8Array;
  readonly isOutbound: boolean;
  /** To whose link-layer address; absent for what is sent. */
  readonly reception?: "unicast" | "multicast" | "broadcast" | "promiscuous";
}

const RECEPTIONS = { unicast: 1, multicast: 2, broadcast: 3, promiscuous: 4 } as const;

/** Begins a file. `comment` is for who opens it. */
export function sectionHeader({ os, application, comment }: Record<"os" | "application" | "comment", string>): Buffer {
  const body = Buffer.alloc(16);
  body.writeUInt32LE(BYTE_ORDER_MAGIC, 0);
  body.writeUInt16LE(VERSION.major, 4);
  body.writeUInt16LE(VERSION.minor, 6);
  body.writeBigUInt64LE(LENGTH_UNKNOWN, 8);
  return block(SECTION_HEADER, body, [
    [OPT_COMMENT, text(comment)],
    [SHB_OS, text(os)],
    [SHB_USER_APPLICATION, text(application)],
  ]);
}

/** Comes before the first packet of the interface. */
export function interfaceDescription({ linkType, snapLength, name, description }: CapturedInterface): Buffer {
  const body = Buffer.alloc(8);
  body.writeUInt16LE(linkType, 0);
  body.writeUInt32LE(snapLength, 4);
  return block(INTERFACE_DESCRIPTION, body, [
    [IF_NAME, text(name)],
    [IF_DESCRIPTION, text(description)],
    [IF_TIME_RESOLUTION, Buffer.of(NANOSECONDS)],
  ]);
}

export function enhancedPacket(packet: CapturedPacket): Buffer {
  const { interfaceId, atNs, length, bytes, isOutbound, reception } = packet;
  const body = Buffer.alloc(20 + padded(bytes.length));
  body.writeUInt32LE(interfaceId, 0);
  writeTime(body, atNs, 4);
  body.writeUInt32LE(bytes.length, 12);
  body.writeUInt32LE(length, 16);
  body.set(bytes, 20);
  const flags = Buffer.alloc(4);
  flags.writeUInt32LE((isOutbound ? 2 : 1) | ((reception === undefined ? 0 : RECEPTIONS[reception]) << 2), 0);
  return block(ENHANCED_PACKET, body, [[EPB_FLAGS, flags]]);
}

/** Ends what is told of an interface: how many packets the system lost there. */
export function interfaceStatistics(interfaceId: number, atNs: bigint, drops: number, comment: string): Buffer {
  const body = Buffer.alloc(12);
  body.writeUInt32LE(interfaceId, 0);
  writeTime(body, atNs, 4);
  const count = Buffer.alloc(8);
  count.writeBigUInt64LE(BigInt(drops), 0);
  return block(INTERFACE_STATISTICS, body, [
    [OPT_COMMENT, text(comment)],
    [ISB_OS_DROPS, count],
  ]);
}

const text = (value: string) => Buffer.from(value, "utf8");
const padded = (length: number) => (length + 3) & ~3;

/** The upper half first. */
function writeTime(body: Buffer, atNs: bigint, offset: number): void {
  body.writeUInt32LE(Number(atNs >> 32n), offset);
  body.writeUInt32LE(Number(atNs & 0xffffffffn), offset + 4);
}

type Option = readonly [code: number, value: Uint8Array];

/** Type and length before it, the length once more behind it; all in multiples of four bytes. */
function block(type: number, body: Uint8Array, options: readonly Option[]): Buffer {
  const parts = [...options, [OPT_END, Buffer.alloc(0)] as const].map(([code, value]) => {
    const option = Buffer.alloc(4 + padded(value.length));
    option.writeUInt16LE(code, 0);
    option.writeUInt16LE(value.length, 2);
    option.set(value, 4);
    return option;
  });
  const length = 12 + body.length + parts.reduce((sum, { length }) => sum + length, 0);
  const [head, tail] = [Buffer.alloc(8), Buffer.alloc(4)];
  head.writeUInt32LE(type, 0);
  head.writeUInt32LE(length, 4);
  tail.writeUInt32LE(length, 0);
  return Buffer.concat([head, body, ...parts, tail], length);
}
