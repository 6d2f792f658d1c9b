import { endianness } from "node:os";
import { parseAddress } from "linux-ts";
import { expect, test } from "vitest";
import { everyPacket, packetsOf } from "./packet-filter.ts";

interface Frame {
  readonly bytes: Uint8Array;
  readonly linkType?: number;
  /** What the kernel took it for (skb->protocol). */
  readonly protocol?: number;
}

/** What the kernel does with such a program (Documentation/networking/filter.rst), as far as ours go. Reading past the end takes nothing. */
function run(program: Uint8Array, { bytes, linkType = 1, protocol = 0 }: Frame): number {
  const little = endianness() === "LE";
  const code = new DataView(program.buffer);
  const data = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let [a, x] = [0, 0];
  for (let at = 0; at * 8 < program.length; at++) {
    const k = code.getUint32(at * 8 + 4, little);
    const [yes, no] = [code.getUint8(at * 8 + 2), code.getUint8(at * 8 + 3)];
    const has = (offset: number, size: number) => offset + size <= bytes.length;
    switch (code.getUint16(at * 8, little)) {
      case 0x20:
        a = k === 0xfffff000 ? protocol : linkType;
        expect([0xfffff000, 0xfffff01c]).toContain(k);
        break;
      case 0x28:
        if (!has(k, 2)) return 0;
        a = data.getUint16(k);
        break;
      case 0x40:
        if (!has(x + k, 4)) return 0;
        a = data.getUint32(x + k);
        break;
      case 0x01:
        x = k;
        break;
      case 0x05:
        at += k;
        break;
      case 0x15:
        at += a === k ? yes : no;
        break;
      case 0x06:
        return k;
      default:
        throw new Error(`instruction ${at} is none of ours`);
    }
  }
  throw new Error("the program does not return");
}

const SNAP = 1_000;
const OURS = ["198.18.1.10", "2001:2:0:1::a", "198.18.1.11"];
const filter = packetsOf(OURS, SNAP);

function ip(source: string, destination: string): Uint8Array {
  const [from, to] = [parseAddress(source), parseAddress(destination)];
  const [length, offset] = from.length === 4 ? [20, 12] : [40, 8];
  const packet = new Uint8Array(length + 20);
  packet.set(from, offset);
  packet.set(to, offset + from.length);
  return packet;
}

function frame(source: string, destination: string, tags: readonly number[] = []): Frame {
  const packet = ip(source, destination);
  const types = [
    ...tags.flatMap((tag) => [tag >> 8, tag & 255, 0, 5]),
    ...(packet.length === 40 ? [8, 0] : [0x86, 0xdd]),
  ];
  return { bytes: Uint8Array.from([...new Uint8Array(12), ...types, ...packet]) };
}

test.each([
  ["198.18.1.10", "198.19.0.1"],
  ["198.19.0.1", "198.18.1.10"],
  ["198.19.0.1", "198.18.1.11"],
  ["2001:2:0:1::a", "2001:2::1"],
  ["2001:2::1", "2001:2:0:1::a"],
])("takes %s → %s: plain, in a tag, without a link-layer header", (source, destination) => {
  expect(run(filter, frame(source, destination))).toBe(SNAP);
  expect(run(filter, frame(source, destination, [0x8100]))).toBe(SNAP);
  expect(run(filter, frame(source, destination, [0x88a8]))).toBe(SNAP);
  const protocol = source.includes(":") ? 0x86dd : 0x0800;
  for (const linkType of [768, 769, 776, 0xfffe]) {
    expect(run(filter, { bytes: ip(source, destination), linkType, protocol })).toBe(SNAP);
  }
});

test.each([
  ["198.18.1.12", "198.19.0.1"],
  ["10.18.1.198", "198.18.1.100"],
  ["2001:2:0:1::b", "2001:2::1"],
  ["2001:2:0:2::a", "2001:3:0:1::a"],
])("leaves %s → %s", (source, destination) => {
  expect(run(filter, frame(source, destination))).toBe(0);
  expect(run(filter, frame(source, destination, [0x8100]))).toBe(0);
  const protocol = source.includes(":") ? 0x86dd : 0x0800;
  expect(run(filter, { bytes: ip(source, destination), linkType: 0xfffe, protocol })).toBe(0);
});

test("leaves what is no IP, is cut off, or comes by the loopback interface or one of another kind", () => {
  const ours = frame("198.18.1.10", "198.19.0.1");
  const arp = { bytes: Uint8Array.from(ours.bytes) };
  arp.bytes.set([0x08, 0x06], 12);
  expect(run(filter, arp)).toBe(0);
  expect(run(filter, { bytes: ours.bytes.subarray(0, 27) })).toBe(0);
  expect(run(filter, { ...ours, linkType: 772 })).toBe(0);
  expect(run(filter, { ...ours, linkType: 778, protocol: 0x0800 })).toBe(0);
  expect(run(filter, { bytes: ip("198.18.1.10", "198.19.0.1"), linkType: 0xfffe, protocol: 0x0806 })).toBe(0);
});

test("one family alone", () => {
  const one = packetsOf(["2001:2:0:1::a"], SNAP);
  expect(run(one, frame("2001:2:0:1::a", "2001:2::1"))).toBe(SNAP);
  expect(run(one, frame("198.18.1.10", "198.19.0.1"))).toBe(0);
});

test("everything but the loopback interface's, in the pod's own namespace", () => {
  const any = { bytes: new Uint8Array(20) };
  expect(run(everyPacket(SNAP), any)).toBe(SNAP);
  expect(run(everyPacket(SNAP), { ...any, linkType: 772 })).toBe(0);
});
