import { ACK, address, FIN, mac, PROTOCOL, RST, SYN } from "../support/frames.ts";
import type { FrameWriter } from "./frame-writer.ts";
import type { Random } from "./random.ts";
import type { RowId } from "./rows.ts";

/** Frames made for each row. They need not end up there: what a frame is, the oracle says alone. */

/** Whom frames are for; the fuzzer makes them members where a program asks. */
export const DESTINATIONS = ["198.18.9.9", "198.18.9.10", "2001:2:0:9::9", "2001:2:0:9::a"] as const;
const SOURCES = ["198.18.8.10", "198.18.8.11", "2001:2:0:8::a", "2001:2:0:8::b"] as const;

const of = (addresses: readonly string[], v6: boolean) =>
  addresses.filter((text) => text.includes(":") === v6).map((text) => address(text));
const ENDS = {
  4: [of(SOURCES, false), of(DESTINATIONS, false)],
  6: [of(SOURCES, true), of(DESTINATIONS, true)],
} as const;
const MACS = [mac("02:00:00:00:00:0b"), mac("02:00:00:00:00:0a")] as const;

const EXTENSIONS = [0, 43, 44, 51, 60, 135, 139, 140];
/** Those whose length does not begin the packet anew. */
const UNFRAGMENTED = EXTENSIONS.filter((type) => type !== PROTOCOL.fragment);
/** Of tunnels too: what they carry is not looked into. */
const OTHERS = [
  PROTOCOL.icmp,
  PROTOCOL.udp,
  PROTOCOL.udp,
  PROTOCOL.esp,
  PROTOCOL.icmpv6,
  PROTOCOL.noNext,
  2,
  4,
  41,
  47,
  132,
  253,
];
const PORTS = [1, 22, 53, 80, 443, 15001, 15006, 15008, 15021, 15053, 40000, 65535];
const FLAGS = [SYN, SYN, SYN | ACK, ACK, ACK, FIN | ACK, RST, RST | ACK, SYN | FIN, 0, 0xff];
const MORE = 0x2000;

type Make = (frame: FrameWriter, random: Random) => void;

function ethernet(frame: FrameWriter, type: number): void {
  frame.put(MACS[0]);
  frame.put(MACS[1]);
  frame.u16(type);
}

interface Ipv4 {
  readonly protocol: number;
  readonly words?: number;
  readonly fragment?: number;
}

function ipv4(frame: FrameWriter, random: Random, { protocol, words = 5, fragment = 0 }: Ipv4): void {
  ethernet(frame, 0x0800);
  frame.u8(0x40 | words);
  frame.u8(random.below(256));
  frame.u16(0);
  frame.u16(random.next() & 0xffff);
  frame.u16(fragment || (random.once(2) ? 0x4000 : 0));
  frame.u8(64);
  frame.u8(protocol);
  frame.u16(random.next() & 0xffff);
  frame.put(random.pick(ENDS[4][0]));
  frame.put(random.pick(ENDS[4][1]));
  for (let word = 5; word < words; word++) frame.u32(random.once(2) ? 0x01010101 : random.next());
}

function ipv6(frame: FrameWriter, random: Random, next: number): void {
  ethernet(frame, 0x86dd);
  frame.u32(0x60000000 | (random.next() & 0x0fffffff));
  frame.u16(0);
  frame.u8(next);
  frame.u8(64);
  frame.put(random.pick(ENDS[6][0]));
  frame.put(random.pick(ENDS[6][1]));
}

/** Writes the length of the packet that ends here. */
function endPacket(frame: FrameWriter): void {
  if (frame.read(12) === 0x08) frame.write16(16, frame.length - 14);
  else if (frame.read(12) === 0x86) frame.write16(18, frame.length - 54);
}

function tcp(
  frame: FrameWriter,
  random: Random,
  { payload = random.once(4) ? random.below(1200) : random.below(40) } = {},
): void {
  const words = random.once(2) ? 5 : random.between(5, 15);
  frame.u16(random.pick(PORTS));
  frame.u16(random.pick(PORTS));
  frame.u32(random.next());
  frame.u32(random.next());
  frame.u8((words << 4) | random.below(16));
  frame.u8(random.pick(FLAGS));
  frame.u16(random.next() & 0xffff);
  frame.u32(random.next());
  for (let word = 5; word < words; word++) frame.u32(random.once(2) ? 0x01010101 : random.next());
  frame.fill(payload, random.below(256));
}

function upper(frame: FrameWriter, random: Random, protocol: number): void {
  if (protocol === PROTOCOL.tcp) {
    tcp(frame, random);
    return;
  }
  frame.u16(random.pick(PORTS));
  frame.u16(random.pick(PORTS));
  frame.u32(random.next());
  // Often what could be taken for TCP, in tunnels and elsewhere.
  if (random.once(2)) tcp(frame, random);
  else frame.fill(random.below(60), random.below(256));
}

function fragmentHeader(frame: FrameWriter, next: number, offset: number, more: boolean, id: number): void {
  frame.u8(next);
  frame.u8(0);
  frame.u16((offset << 3) | (more ? 1 : 0));
  frame.u32(id);
}

function extension(frame: FrameWriter, random: Random, type: number, next: number): void {
  if (type === PROTOCOL.fragment) {
    fragmentHeader(frame, next, 0, false, random.next());
    return;
  }
  const length = random.once(8) ? random.below(64) : random.below(4);
  frame.u8(next);
  frame.u8(length);
  // What a parser that lost its way could take for TCP, or for more headers.
  frame.fill((type === PROTOCOL.ah ? length * 4 : length * 8) + 6, random.pick([0, 1, 6, 0x50, 0xff]));
}

function chain(frame: FrameWriter, random: Random, types: readonly number[], last: number): void {
  types.forEach((type, index) => {
    extension(frame, random, type, types[index + 1] ?? last);
  });
}

const pickSome = (random: Random, from: readonly number[], count: number) =>
  Array.from({ length: count }, () => random.pick(from));

function chained(frame: FrameWriter, random: Random, types: readonly number[], last: number): void {
  ipv6(frame, random, types[0] ?? last);
  chain(frame, random, types, last);
  upper(frame, random, last);
  endPacket(frame);
}

const single =
  (type: number): Make =>
  (frame, random) =>
    chained(frame, random, [type], PROTOCOL.tcp);

function ahChain(frame: FrameWriter, random: Random, count: number, last: number, fragment = 0): void {
  ipv4(frame, random, { protocol: PROTOCOL.ah, fragment });
  chain(frame, random, new Array(count).fill(PROTOCOL.ah), last);
  upper(frame, random, last);
  endPacket(frame);
}

/** A first fragment in IPv6, with headers before the Fragment header and behind it. */
function firstFragment6(
  frame: FrameWriter,
  random: Random,
  before: readonly number[],
  behind: readonly number[],
): void {
  ipv6(frame, random, before[0] ?? PROTOCOL.fragment);
  chain(frame, random, before, PROTOCOL.fragment);
  fragmentHeader(frame, behind[0] ?? PROTOCOL.tcp, 0, true, random.next());
  chain(frame, random, behind, PROTOCOL.tcp);
  tcp(frame, random);
  endPacket(frame);
}

function laterFragment6(frame: FrameWriter, random: Random, next: number): void {
  const before = random.once(2) ? [] : pickSome(random, UNFRAGMENTED, random.between(1, 3));
  ipv6(frame, random, before[0] ?? PROTOCOL.fragment);
  chain(frame, random, before, PROTOCOL.fragment);
  fragmentHeader(frame, next, random.between(1, 0x1fff), random.once(2), random.next());
  upper(frame, random, random.pick([PROTOCOL.tcp, PROTOCOL.udp]));
  endPacket(frame);
}

/** Makes the TCP header that was begun at `at` one that no stack takes. */
function spoilTcp(frame: FrameWriter, random: Random, at: number): void {
  const kept = random.below(20);
  if (random.once(3)) {
    frame.write(at + 12, random.below(5) << 4);
  } else if (random.once(2)) {
    frame.resize(at + kept);
  } else {
    // What the packet lacks stands in the padding behind it.
    const length = frame.length;
    frame.resize(at + kept);
    endPacket(frame);
    frame.resize(length);
    return;
  }
  endPacket(frame);
}

const cutTcp4 =
  (fragment: number): Make =>
  (frame, random) => {
    ipv4(frame, random, { protocol: PROTOCOL.tcp, words: random.once(2) ? 5 : random.between(6, 15), fragment });
    const at = frame.length;
    tcp(frame, random);
    spoilTcp(frame, random, at);
  };

const cutTcp6 =
  (isFirst: boolean): Make =>
  (frame, random) => {
    const types = random.once(2) ? [] : pickSome(random, UNFRAGMENTED, random.between(1, 3));
    const last = isFirst ? PROTOCOL.fragment : PROTOCOL.tcp;
    ipv6(frame, random, types[0] ?? last);
    chain(frame, random, types, last);
    if (isFirst) fragmentHeader(frame, PROTOCOL.tcp, 0, true, random.next());
    const at = frame.length;
    tcp(frame, random);
    spoilTcp(frame, random, at);
  };

const tagged =
  (type: number): Make =>
  (frame, random) => {
    const inner = random.pick([0x0800, 0x86dd, 0x8100]);
    ethernet(frame, type);
    frame.u16(random.pick([0, 5, 0x6000, 0xffff]));
    frame.u16(inner);
    frame.u8(inner === 0x0800 ? 0x45 : 0x60);
    frame.fill(random.between(30, 80), PROTOCOL.tcp);
  };

export const SHAPES: Readonly<Record<RowId, Make>> = {
  ipv4: (frame, random) => {
    ipv4(frame, random, { protocol: PROTOCOL.tcp });
    tcp(frame, random);
    endPacket(frame);
  },
  "ipv4-options": (frame, random) => {
    ipv4(frame, random, { protocol: PROTOCOL.tcp, words: random.between(6, 15) });
    tcp(frame, random);
    endPacket(frame);
  },
  "ipv4-ah": (frame, random) => ahChain(frame, random, random.once(2) ? 1 : random.between(1, 8), PROTOCOL.tcp),
  "ipv4-first": (frame, random) => {
    ipv4(frame, random, { protocol: PROTOCOL.tcp, words: random.once(2) ? 5 : random.between(6, 15), fragment: MORE });
    tcp(frame, random);
    endPacket(frame);
  },
  "ipv4-later": (frame, random) => {
    const fragment = random.between(1, 0x1fff) | (random.once(2) ? MORE : 0);
    ipv4(frame, random, { protocol: PROTOCOL.tcp, fragment });
    upper(frame, random, random.pick([PROTOCOL.tcp, PROTOCOL.udp]));
    endPacket(frame);
  },
  ipv6: (frame, random) => chained(frame, random, [], PROTOCOL.tcp),
  "ipv6-hop-by-hop": single(PROTOCOL.hopByHop),
  "ipv6-routing": single(PROTOCOL.routing),
  "ipv6-destination": single(PROTOCOL.destinationOptions),
  "ipv6-atomic": single(PROTOCOL.fragment),
  "ipv6-ah": single(PROTOCOL.ah),
  "ipv6-mobility": single(PROTOCOL.mobility),
  "ipv6-hip": single(PROTOCOL.hip),
  "ipv6-shim6": single(PROTOCOL.shim6),
  "ipv6-chain": (frame, random) =>
    chained(frame, random, pickSome(random, EXTENSIONS, random.between(2, 8)), PROTOCOL.tcp),
  "ipv6-first": (frame, random) =>
    firstFragment6(frame, random, random.once(2) ? [] : pickSome(random, UNFRAGMENTED, random.between(1, 7)), []),
  "ipv6-later": (frame, random) => laterFragment6(frame, random, PROTOCOL.tcp),
  "ipv4-tcp-cut": cutTcp4(0),
  "ipv6-tcp-cut": cutTcp6(false),
  "ipv4-first-cut": cutTcp4(MORE),
  "ipv6-first-cut": cutTcp6(true),
  "ipv4-first-split": (frame, random) => ahChain(frame, random, random.between(1, 3), PROTOCOL.tcp, MORE),
  "ipv6-first-split": (frame, random) =>
    firstFragment6(
      frame,
      random,
      pickSome(random, UNFRAGMENTED, random.below(3)),
      pickSome(random, EXTENSIONS, random.between(1, 4)),
    ),
  "ipv4-header": (frame, random) => {
    ipv4(frame, random, { protocol: random.pick([PROTOCOL.tcp, PROTOCOL.udp]) });
    tcp(frame, random, { payload: 0 });
    endPacket(frame);
    if (random.once(3)) frame.write(14, (random.pick([0, 5, 6, 15]) << 4) | random.between(5, 15));
    else if (random.once(2)) frame.write(14, 0x40 | random.below(5));
    else frame.write16(16, random.between(1, 19));
  },
  "ipv6-header": (frame, random) => {
    chained(frame, random, [], random.pick([PROTOCOL.tcp, PROTOCOL.udp]));
    if (random.once(2)) frame.resize(random.between(34, 53));
    else frame.write(14, random.pick([0, 4, 5, 7, 15]) << 4);
  },
  "ipv4-chain-bad": (frame, random) => {
    if (random.once(2)) {
      ahChain(frame, random, random.between(9, 11), PROTOCOL.tcp);
      return;
    }
    ipv4(frame, random, { protocol: PROTOCOL.ah });
    frame.u8(PROTOCOL.tcp);
    frame.u8(random.between(20, 255));
    frame.fill(random.between(18, 60), PROTOCOL.tcp);
    endPacket(frame);
  },
  "ipv6-chain-cut": (frame, random) => {
    const types = pickSome(random, UNFRAGMENTED, random.between(1, 4));
    ipv6(frame, random, types[0] ?? 0);
    chain(frame, random, types, random.pick([PROTOCOL.tcp, PROTOCOL.udp, PROTOCOL.fragment]));
    frame.resize(Math.max(54, frame.length - random.between(1, 7)));
    endPacket(frame);
    if (random.once(2)) frame.fill(random.below(40), PROTOCOL.tcp);
  },
  "ipv6-chain-long": (frame, random) =>
    chained(
      frame,
      random,
      pickSome(random, EXTENSIONS, random.between(9, 12)),
      random.pick([PROTOCOL.tcp, PROTOCOL.udp]),
    ),
  "tag-8021q": tagged(0x8100),
  "tag-8021ad": tagged(0x88a8),
  "not-ip": (frame, random) => {
    ethernet(frame, random.pick([0x0806, 0x88cc, 0x0026, 0x8847, 0x9100, 0x8864, 0x0801]));
    frame.u8(0x45);
    frame.fill(random.between(20, 80), PROTOCOL.tcp);
  },
  "ipv4-other": (frame, random) => {
    const protocol = random.pick([...OTHERS, PROTOCOL.hopByHop, PROTOCOL.destinationOptions]);
    ipv4(frame, random, {
      protocol,
      words: random.once(2) ? 5 : random.between(6, 15),
      fragment: random.once(3) ? MORE : 0,
    });
    upper(frame, random, PROTOCOL.udp);
    endPacket(frame);
  },
  "ipv4-ah-other": (frame, random) => ahChain(frame, random, random.between(1, 3), random.pick(OTHERS)),
  "ipv4-later-other": (frame, random) => {
    const fragment = random.between(1, 0x1fff) | (random.once(2) ? MORE : 0);
    ipv4(frame, random, { protocol: random.pick([...OTHERS, PROTOCOL.ah]), fragment });
    upper(frame, random, random.pick([PROTOCOL.tcp, PROTOCOL.udp]));
    endPacket(frame);
  },
  "ipv6-other": (frame, random) => chained(frame, random, [], random.pick(OTHERS)),
  "ipv6-chain-other": (frame, random) =>
    chained(frame, random, pickSome(random, EXTENSIONS, random.between(1, 8)), random.pick(OTHERS)),
  "ipv6-later-other": (frame, random) => laterFragment6(frame, random, random.pick(OTHERS)),
  "ipv6-later-chain": (frame, random) => laterFragment6(frame, random, random.pick(EXTENSIONS)),
};
