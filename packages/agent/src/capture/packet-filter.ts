import { endianness } from "node:os";
import { parseAddress } from "linux-ts";

/** struct sock_filter (include/uapi/linux/filter.h): `jt` and `jf` are how many instructions are passed over. */
interface Instruction {
  readonly code: number;
  readonly jt?: number;
  readonly jf?: number;
  readonly k: number;
}

// BPF_* of include/uapi/linux/bpf_common.h, put together.
const LOAD_WORD = 0x20;
const LOAD_HALF = 0x28;
const LOAD_WORD_AT_X = 0x40;
const LOAD_X = 0x01;
const JUMP = 0x05;
const JUMP_IF_EQUAL = 0x15;
const RETURN = 0x06;
/** SKF_AD_OFF with SKF_AD_PROTOCOL and SKF_AD_HATYPE: what the kernel knows of the packet. */
const PROTOCOL = 0xfffff000;
const LINK_TYPE = 0xfffff000 + 28;

export const ARPHRD_ETHER = 1;
const ARPHRD_LOOPBACK = 772;
/** Whose packets begin with the IP header: ARPHRD_TUNNEL, ARPHRD_TUNNEL6, ARPHRD_SIT, ARPHRD_NONE. */
export const ARPHRD_RAW_IP: readonly number[] = [768, 769, 776, 0xfffe];
const IPV4 = 0x0800;
const IPV6 = 0x86dd;
const TAGS: readonly number[] = [0x8100, 0x88a8];

const returns = (value: number): Instruction => ({ code: RETURN, k: value });
const jump = (over: number): Instruction => ({ code: JUMP, k: over });
/** Goes on behind itself if A is one of these, else passes over so many instructions more. */
const unless = (values: readonly number[], over: number): Instruction[] =>
  values.map((k, index) => {
    const left = values.length - 1 - index;
    return { code: JUMP_IF_EQUAL, jt: left, jf: left === 0 ? over : 0, k };
  });

/** Takes `snapLength` bytes of everything that an interface with a link sends or receives, but for the loopback interface's. */
export function everyPacket(snapLength: number): Uint8Array {
  return encode([{ code: LOAD_WORD, k: LINK_TYPE }, ...unless([ARPHRD_LOOPBACK], 1), returns(0), returns(snapLength)]);
}

/**
 * Takes `snapLength` bytes of IP packets from or to one of these addresses, on Ethernet (in one VLAN tag at most that is in the frame) or without a
 * link-layer header. Not those of the loopback interface, nor what carries such packets within another protocol.
 */
export function packetsOf(addresses: readonly string[], snapLength: number): Uint8Array {
  const parsed = addresses.map((text) => parseAddress(text));
  const compare = (length: number, offsets: readonly number[]): Instruction[] => [
    ...parsed
      .filter((bytes) => bytes.length === length)
      .flatMap((bytes) => offsets.flatMap((offset) => equals(bytes, offset, snapLength))),
    returns(0),
  ];
  const ipv4 = compare(4, [12, 16]);
  const ipv6 = compare(16, [8, 24]);
  const setIpHeader = (k: number): Instruction => ({ code: LOAD_X, k });
  const tagged: Instruction[] = [setIpHeader(18), { code: LOAD_HALF, k: 16 }];
  const ethernet: Instruction[] = [
    setIpHeader(14),
    { code: LOAD_HALF, k: 12 },
    ...unless(TAGS, tagged.length),
    ...tagged,
  ];
  const raw: Instruction[] = [
    ...unless(ARPHRD_RAW_IP, 3),
    setIpHeader(0),
    { code: LOAD_WORD, k: PROTOCOL },
    jump(1),
    returns(0),
  ];
  return encode([
    { code: LOAD_WORD, k: LINK_TYPE },
    ...unless([ARPHRD_ETHER], ethernet.length + 1),
    ...ethernet,
    jump(raw.length),
    ...raw,
    ...unless([IPV4], 1),
    jump(3),
    ...unless([IPV6], 1),
    jump(ipv4.length + 1),
    returns(0),
    ...ipv4,
    ...ipv6,
  ]);
}

/** Returns from the program if these bytes are at this offset from X, else goes on behind itself. */
function equals(bytes: Uint8Array, offset: number, snapLength: number): Instruction[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const words = Array.from({ length: bytes.length / 4 }, (_, index) => view.getUint32(index * 4));
  const tests = words.flatMap((word, index) => [
    { code: LOAD_WORD_AT_X, k: offset + index * 4 },
    ...unless([word], (words.length - 1 - index) * 2 + 1),
  ]);
  return [...tests, returns(snapLength)];
}

/** In the machine's byte order, as the kernel takes it. */
function encode(program: readonly Instruction[]): Uint8Array {
  const bytes = new Uint8Array(program.length * 8);
  const view = new DataView(bytes.buffer);
  const little = endianness() === "LE";
  for (const [index, { code, jt = 0, jf = 0, k }] of program.entries()) {
    view.setUint16(index * 8, code, little);
    view.setUint8(index * 8 + 2, jt);
    view.setUint8(index * 8 + 3, jf);
    view.setUint32(index * 8 + 4, k, little);
  }
  return bytes;
}
