import { describe, expect, it } from "vitest";
import { decodeAddress } from "./addresses.ts";
import { littleEndian, PayloadWriter } from "./attributes.ts";
import { LinuxError } from "./errors.ts";
import { decodeLink } from "./links.ts";
import { decodeEvent } from "./monitor.ts";
import { decodeNeighbour } from "./neighbours.ts";
import { decodeNftEvent } from "./nftables-monitor.ts";
import { decodeRoute } from "./routes.ts";
import { decodeRule, encodeRule, ruleOf } from "./rule-codec.ts";
import { decodeTcFilter } from "./tc-filters.ts";
import { decodeTcpSocket } from "./tcp-sockets.ts";
import { randomBytes } from "./testing/random.ts";

interface Sample {
  decode: (payload: Uint8Array) => unknown;
  /** Bytes of the fixed struct. */
  header: number;
  payload: Uint8Array;
}

/** The expression that jumps to a chain. */
function immediate(chain: string): PayloadWriter {
  const verdict = new PayloadWriter().u32(1, 0xfffffffd).string(2, chain);
  const data = new PayloadWriter().u32(1, 0).nested(2, new PayloadWriter().nested(2, verdict));
  return new PayloadWriter().string(1, "immediate").nested(2, data);
}

/** A tunnel device with these details. */
function tunnelLink(kind: string, details: PayloadWriter): Uint8Array {
  return new PayloadWriter()
    .struct(16, (view) => view.setInt32(4, 7, littleEndian))
    .string(3, "tunnel0")
    .nested(18, new PayloadWriter().string(1, kind).nested(2, details))
    .finish();
}

/** One message of each family, with every nest that is looked into, as the kernel lays it out. */
const samples: Record<string, Sample> = {
  link: {
    decode: decodeLink,
    header: 16,
    payload: new PayloadWriter()
      .struct(16, (view) => view.setInt32(4, 7, littleEndian))
      .string(3, "eth0")
      .u32(4, 1500)
      .u32(5, 8)
      .s32(37, 0)
      .attribute(1, Uint8Array.of(2, 0, 0, 0, 0, 1))
      .nested(18, new PayloadWriter().string(1, "veth"))
      .finish(),
  },
  tunnel: {
    decode: decodeLink,
    header: 16,
    payload: tunnelLink("vxlan", new PayloadWriter().u32(1, 7).attribute(2, Uint8Array.of(198, 18, 0, 1))),
  },
  address: {
    decode: decodeAddress,
    header: 8,
    payload: new PayloadWriter()
      .struct(8, (view) => view.setUint8(0, 2))
      .attribute(1, Uint8Array.of(198, 18, 0, 2))
      .attribute(2, Uint8Array.of(198, 18, 0, 1))
      .string(3, "eth0")
      .finish(),
  },
  neighbour: {
    decode: decodeNeighbour,
    header: 12,
    payload: new PayloadWriter()
      .struct(12, (view) => view.setUint8(0, 2))
      .attribute(1, Uint8Array.of(198, 18, 0, 2))
      .attribute(2, Uint8Array.of(2, 0, 0, 0, 0, 1))
      .attribute(3, new Uint8Array(16))
      .finish(),
  },
  route: {
    decode: decodeRoute,
    header: 12,
    payload: new PayloadWriter()
      .struct(12, (view) => view.setUint8(0, 2))
      .u32(15, 70000)
      .attribute(18, Uint8Array.of(10, 0, ...new Uint8Array(16)))
      .attribute(9, Uint8Array.of(16, 0, 0, 4, 3, 0, 0, 0, 8, 0, 5, 0, 198, 18, 0, 9))
      .finish(),
  },
  rule: {
    decode: decodeRule,
    header: 12,
    payload: new PayloadWriter()
      .struct(12, (view) => view.setUint8(0, 10))
      .u32(6, 10)
      .string(3, "eth0")
      .u32(10, 1)
      .u32(16, 0xff)
      .attribute(12, new Uint8Array(8))
      .attribute(20, new Uint8Array(8))
      .attribute(23, new Uint8Array(4))
      .finish(),
  },
  filter: {
    decode: decodeTcFilter,
    header: 20,
    payload: new PayloadWriter()
      .struct(20, (view) => view.setUint32(8, 1, littleEndian))
      .string(1, "bpf")
      .nested(2, new PayloadWriter().u32(11, 5).string(7, "x").attribute(10, new Uint8Array(8)).u32(8, 1))
      .finish(),
  },
  "change of a rule of nftables": {
    decode: (payload) => decodeNftEvent({ type: (10 << 8) | 6, flags: 0, payload }),
    header: 4,
    payload: new PayloadWriter()
      .struct(4, (view) => view.setUint8(0, 2))
      .string(1, "mangle")
      .string(2, "PREROUTING")
      .nested(4, new PayloadWriter().nested(1, immediate("MINE")))
      .finish(),
  },
  socket: {
    decode: decodeTcpSocket,
    header: 72,
    payload: new PayloadWriter()
      .struct(72, (view) => {
        view.setUint8(0, 2);
        view.setUint8(1, 1);
      })
      .finish(),
  },
};

/** The result, or the code; anything but a LinuxError is a failure of the decoder. */
function outcome(decode: () => unknown): string {
  try {
    decode();
    return "decoded";
  } catch (error) {
    if (error instanceof LinuxError) return error.code;
    throw error;
  }
}

/** The lengths at which a message ends with a whole attribute, or somewhere in the padding behind it. */
function wholeLengths(payload: Uint8Array, header: number): Set<number> {
  const lengths = new Set([header]);
  const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
  for (let offset = header; offset < payload.length; ) {
    const end = offset + view.getUint16(offset, littleEndian);
    offset = (end + 3) & ~3;
    for (let length = end; length <= offset; length++) lengths.add(length);
  }
  return lengths;
}

describe.each(Object.entries(samples))("decoding a %s", (_, { decode, header, payload }) => {
  it("succeeds when it is whole", () => {
    expect(decode(payload)).toBeDefined();
  });

  it("is refused wherever it is cut, but between attributes", () => {
    const whole = wholeLengths(payload, header);
    for (let length = 0; length < payload.length; length++) {
      const cut = payload.subarray(0, length);
      expect(
        outcome(() => decode(cut)),
        `cut to ${length}`,
      ).toBe(whole.has(length) ? "decoded" : "ERR_MALFORMED");
      // The same bytes in a buffer of their own: what lies behind the view makes no difference.
      expect(
        outcome(() => decode(cut.slice())),
        `cut to ${length}`,
      ).toBe(outcome(() => decode(cut)));
    }
  });

  it("survives noise with ERR_MALFORMED at worst", () => {
    const random = randomBytes(payload.length);
    for (let i = 0; i < 3000; i++) {
      const noisy = payload.slice();
      const [at = 0, value = 0, second = 0] = random(3);
      noisy[at % noisy.length] = value;
      noisy[(at * 7) % noisy.length] = second;
      expect(["decoded", "ERR_MALFORMED"]).toContain(outcome(() => decode(noisy)));
    }
  });
});

describe("decodeLink", () => {
  const port = Uint8Array.of(0x17, 0xc1);
  const remote6 = Uint8Array.of(0x20, 0x01, 0, 2, ...new Uint8Array(11), 1);

  // As geneve_fill_info() (drivers/net/geneve.c) and vxlan_fill_info() (drivers/net/vxlan/vxlan_core.c) lay them out.
  it.each([
    [
      "geneve",
      new PayloadWriter()
        .u32(1, 5)
        .attribute(2, Uint8Array.of(198, 18, 0, 1))
        .u8(3, 64)
        .attribute(5, port),
      { vni: 5, port: 6081, remote: "198.18.0.1" },
    ],
    [
      "geneve",
      new PayloadWriter().u32(1, 5).attribute(7, remote6).attribute(5, port),
      { vni: 5, port: 6081, remote: "2001:2::1" },
    ],
    [
      "geneve",
      new PayloadWriter().u32(1, 0).attribute(5, port).attribute(6, new Uint8Array()),
      { vni: 0, port: 6081, external: true },
    ],
    [
      "vxlan",
      new PayloadWriter().u32(1, 9).attribute(16, remote6).attribute(15, port).u8(25, 0),
      { vni: 9, port: 6081, remote: "2001:2::1" },
    ],
    ["vxlan", new PayloadWriter().u32(1, 0).attribute(15, port).u8(25, 1), { vni: 0, port: 6081, external: true }],
  ])("tells where a %s device leads", (kind, details, tunnel) => {
    expect(decodeLink(tunnelLink(kind, details))).toMatchObject({ index: 7, kind, tunnel });
  });

  it("tells nothing of the kind of other devices, whatever their details", () => {
    expect(decodeLink(tunnelLink("bridge", new PayloadWriter().u32(1, 5)))).not.toHaveProperty("tunnel");
    expect(decodeLink(tunnelLink("constructor", new PayloadWriter().u32(1, 5)))).not.toHaveProperty("tunnel");
  });

  it("passes over the bridge's messages about its ports: that a port left does not mean that the link is gone", () => {
    const bridgePort = new PayloadWriter()
      .struct(16, (view) => view.setUint8(0, 7))
      .string(3, "eth0")
      .finish();
    expect(decodeLink(bridgePort)).toBeUndefined();
    expect(decodeEvent({ type: 17, flags: 0, payload: bridgePort })).toBeUndefined();
  });
});

describe("decodeRoute", () => {
  it("refuses a next hop that claims less than its header, instead of standing still", () => {
    const payload = new PayloadWriter()
      .struct(12, (view) => view.setUint8(0, 2))
      .attribute(9, new Uint8Array(8))
      .finish();
    expect(outcome(() => decodeRoute(payload))).toBe("ERR_MALFORMED");
  });
});

describe("rules", () => {
  it("say which attributes they did not understand", () => {
    const payload = new PayloadWriter()
      .struct(12, (view) => view.setUint8(0, 2))
      .u8(77, 1)
      .finish();
    expect(decodeRule(payload)?.unknown).toEqual([77]);
  });

  it("are decoded as they were encoded", () => {
    for (const spec of [
      { priority: 1, family: 4, table: 70000, iif: "eth0" },
      { priority: 2, family: 6, table: 100, fwmark: 0x10, fwmask: 0xff, protocol: 99 },
      { priority: 3, family: 6, table: 100, fwmark: 0xffffffff },
    ] as const) {
      expect(decodeRule(encodeRule(ruleOf(spec)))).toEqual(ruleOf(spec));
    }
  });

  it.each(["", "an-interface-name", "a b", "a/b", "a:b"])("refuse the interface name %j", (iif) => {
    const spec = { priority: 1, family: 4, table: 1, iif } as const;
    expect(outcome(() => ruleOf(spec))).toBe("ERR_INVALID_ARGUMENT");
  });

  it("refuse a mask without a mark", () => {
    expect(outcome(() => ruleOf({ priority: 1, family: 4, table: 1, fwmask: 1 }))).toBe("ERR_INVALID_ARGUMENT");
  });
});

describe("decodeNftEvent", () => {
  const rule = (...expressions: PayloadWriter[]) => ({
    type: (10 << 8) | 6,
    flags: 0,
    payload: new PayloadWriter()
      .struct(4, (view) => view.setUint8(0, 10))
      .string(1, "filter")
      .string(2, "FORWARD")
      .nested(
        4,
        expressions.reduce((list, each) => list.nested(1, each), new PayloadWriter()),
      )
      .finish(),
  });
  // An xtables target: its attribute 2 is a revision in network order, and no nest.
  const target = new PayloadWriter()
    .string(1, "target")
    .nested(2, new PayloadWriter().string(1, "MARK").attribute(2, Uint8Array.of(0, 0, 0, 2)));

  it("tells the chain that a rule leads to, by its last expression", () => {
    const event = { type: "rule", change: "set", family: "ip6", table: "filter", name: "FORWARD" };
    expect(decodeNftEvent(rule(target, immediate("MINE")))).toEqual({ ...event, target: "MINE" });
    expect(decodeNftEvent(rule(immediate("MINE"), target))).toEqual(event);
    expect(decodeNftEvent(rule())).toEqual(event);
  });

  it("passes over other subsystems, and the generation that ends each change", () => {
    expect(decodeNftEvent({ type: (1 << 8) | 6, flags: 0, payload: new Uint8Array() })).toBeUndefined();
    expect(decodeNftEvent({ type: (10 << 8) | 15, flags: 0, payload: new Uint8Array(4) })).toBeUndefined();
  });
});

describe("decodeEvent", () => {
  it("passes over messages of other kinds", () => {
    expect(decodeEvent({ type: 28, flags: 0, payload: new Uint8Array() })).toBeUndefined();
  });
});
