import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { Datapath } from "./support/datapath.ts";
import {
  ACK,
  authenticationHeader,
  concat,
  ETHERTYPE,
  ethernet,
  extension,
  fragmentHeader,
  ip,
  ipFrame,
  isIpv6,
  PROTOCOL,
  tcpFrame,
  tcpSegment,
  u16,
  zeros,
} from "./support/frames.ts";
import type { ProgramName } from "./support/layout.ts";
import { testRun } from "./support/test-run.ts";

const IPV4 = { source: "198.18.1.10", destination: "198.18.9.9", sourcePort: 40000, destinationPort: 80 };
const IPV6 = { source: "2001:2:0:1::a", destination: "2001:2:0:9::9", sourcePort: 40000, destinationPort: 80 };
const MORE_FRAGMENTS = 0x2000;

let datapath: Datapath;
beforeAll(() => {
  datapath = new Datapath();
});
afterAll(() => datapath[Symbol.dispose]());
beforeEach(() => {
  datapath.reset();
  datapath.proxy(0, { ifindex: 1, netnsid: 9999, mac: "02:00:00:00:00:01" });
  datapath.settings({ active: 1 });
});

const verdictOf = (frame: Uint8Array, program: ProgramName = "app_outbound") =>
  testRun(datapath, program, frame).verdict;

/** An IPv6 packet whose extension headers are `chain`, the first of type `first`. */
function chained(first: number, chain: readonly Uint8Array[], segment = tcpSegment(IPV6)): Uint8Array {
  return ipFrame({ ...IPV6, protocol: first, payload: concat(...chain, segment) });
}

describe.each(["app_outbound", "app_inbound"] as const)("%s", (program) => {
  const check = (frame: Uint8Array) => verdictOf(frame, program);

  describe.each([IPV4, IPV6])("from $source", (ends) => {
    const segment = tcpSegment(ends);
    const packet = (protocol: number, payload: Uint8Array) => ipFrame({ ...ends, protocol, payload });

    it("captures TCP", () => {
      expect(check(tcpFrame(ends))).toBe("captured");
      expect(check(tcpFrame({ ...ends, flags: ACK, payload: zeros(1000) }))).toBe("captured");
      expect(check(tcpFrame({ ...ends, options: zeros(40) }))).toBe("captured");
    });

    it.each(["udp", "icmp", "icmpv6", "esp", "noNext"] as const)("passes %s", (name) => {
      expect(check(packet(PROTOCOL[name], zeros(40)))).toBe("passed");
    });

    it("drops TCP without its whole header", () => {
      for (const bytes of [0, 1, 13, 19])
        expect(check(packet(PROTOCOL.tcp, segment.subarray(0, bytes)))).toBe("dropped_unparsable");
      const cutOptions = tcpSegment({ ...ends, options: zeros(8) }).subarray(0, 24);
      expect(check(packet(PROTOCOL.tcp, cutOptions))).toBe("dropped_unparsable");
    });

    it("drops a TCP header shorter than one can be", () => {
      const wrong = Uint8Array.from(segment);
      wrong[12] = 4 << 4;
      expect(check(packet(PROTOCOL.tcp, wrong))).toBe("dropped_unparsable");
    });

    it("does not look for TCP in the padding behind the packet", () => {
      const empty = ipFrame({ ...ends, protocol: PROTOCOL.tcp, payload: zeros(4) });
      expect(check(concat(empty, segment))).toBe("dropped_unparsable");
    });

    it("follows AH", () => {
      expect(check(packet(PROTOCOL.ah, concat(authenticationHeader(PROTOCOL.tcp), segment)))).toBe("captured");
      expect(check(packet(PROTOCOL.ah, concat(authenticationHeader(PROTOCOL.udp), segment)))).toBe("passed");
      expect(check(packet(PROTOCOL.ah, authenticationHeader(PROTOCOL.tcp)))).toBe("dropped_unparsable");
    });

    it("drops the wrong version", () => {
      const first = isIpv6(ends.source) ? 0x40 : 0x65;
      expect(check(ipFrame({ ...ends, protocol: PROTOCOL.udp, payload: zeros(20), first }))).toBe("dropped_unparsable");
    });

    it("reads a length of zero, which is BIG TCP, as all of the frame", () => {
      expect(check(ipFrame({ ...ends, protocol: PROTOCOL.tcp, payload: segment, length: 0 }))).toBe("captured");
    });
  });

  it("follows IPv4 options", () => {
    for (const bytes of [4, 20, 40]) {
      const frame = ipFrame({ ...IPV4, protocol: PROTOCOL.tcp, payload: tcpSegment(IPV4), options: zeros(bytes) });
      expect(check(frame)).toBe("captured");
    }
  });

  it("drops an IPv4 header shorter than one can be, or longer than the packet", () => {
    const payload = tcpSegment(IPV4);
    // Read with four words of header, the packet below would be right: its data offset stands where that of `payload` is not.
    const shifted = zeros(40);
    shifted[8] = 0x50;
    expect(check(ipFrame({ ...IPV4, protocol: PROTOCOL.tcp, payload: shifted, first: 0x44 }))).toBe(
      "dropped_unparsable",
    );
    expect(check(ipFrame({ ...IPV4, protocol: PROTOCOL.tcp, payload, length: 19 }))).toBe("dropped_unparsable");
    expect(check(ipFrame({ ...IPV4, protocol: PROTOCOL.udp, payload: zeros(20), first: 0x4f }))).toBe(
      "dropped_unparsable",
    );
  });

  it("takes IPv6's extension headers for no more than a protocol in IPv4", () => {
    const payload = concat(extension(PROTOCOL.tcp), tcpSegment(IPV4));
    expect(check(ipFrame({ ...IPV4, protocol: PROTOCOL.destinationOptions, payload }))).toBe("passed");
  });

  it.each(["hopByHop", "routing", "destinationOptions", "mobility", "hip", "shim6"] as const)(
    "follows IPv6 %s",
    (name) => {
      for (const units of [0, 3, 255]) {
        expect(check(chained(PROTOCOL[name], [extension(PROTOCOL.tcp, units)]))).toBe("captured");
        expect(check(chained(PROTOCOL[name], [extension(PROTOCOL.udp, units)]))).toBe("passed");
      }
      expect(check(chained(PROTOCOL[name], [extension(PROTOCOL.tcp).subarray(0, 7)], zeros(0)))).toBe(
        "dropped_unparsable",
      );
      expect(check(chained(PROTOCOL[name], [extension(PROTOCOL.tcp, 20).subarray(0, 60)], zeros(0)))).toBe(
        "dropped_unparsable",
      );
    },
  );

  it("follows a mixed chain of eight headers, and drops a longer one", () => {
    const options = extension(PROTOCOL.destinationOptions);
    const seven = Array.from({ length: 7 }, () => options);
    expect(check(chained(PROTOCOL.hopByHop, [...seven, extension(PROTOCOL.tcp)]))).toBe("captured");
    expect(check(chained(PROTOCOL.hopByHop, [...seven, options, extension(PROTOCOL.tcp)]))).toBe("dropped_unparsable");
    expect(check(chained(PROTOCOL.hopByHop, [...seven, options, extension(PROTOCOL.udp)]))).toBe("dropped_unparsable");
    expect(check(chained(PROTOCOL.ah, [authenticationHeader(PROTOCOL.fragment), fragmentHeader(PROTOCOL.tcp)]))).toBe(
      "captured",
    );
  });

  it("decides an IPv4 first fragment by its TCP header, which must be whole", () => {
    const fragment = (payload: Uint8Array) =>
      ipFrame({ ...IPV4, protocol: PROTOCOL.tcp, payload, fragment: MORE_FRAGMENTS });
    expect(check(fragment(concat(tcpSegment(IPV4), zeros(4))))).toBe("captured");
    expect(check(fragment(tcpSegment(IPV4).subarray(0, 8)))).toBe("dropped_unparsable");
    expect(check(fragment(tcpSegment({ ...IPV4, options: zeros(12) }).subarray(0, 24)))).toBe("dropped_unparsable");
  });

  it("decides an IPv6 first fragment by its TCP header, which must be whole", () => {
    const header = fragmentHeader(PROTOCOL.tcp, { more: true });
    expect(check(chained(PROTOCOL.fragment, [header]))).toBe("captured");
    expect(check(chained(PROTOCOL.fragment, [header], tcpSegment(IPV6).subarray(0, 16)))).toBe("dropped_unparsable");
    expect(
      check(chained(PROTOCOL.fragment, [fragmentHeader(PROTOCOL.destinationOptions, { more: true })], zeros(0))),
    ).toBe("dropped_unparsable");
  });

  it("drops a first fragment whose later ones could not be told, and no other protocol's", () => {
    const first = (next: number, chain: readonly Uint8Array[]) =>
      chained(PROTOCOL.fragment, [fragmentHeader(next, { more: true }), ...chain]);
    expect(check(first(PROTOCOL.destinationOptions, [extension(PROTOCOL.tcp)]))).toBe("dropped_unparsable");
    expect(check(first(PROTOCOL.destinationOptions, [extension(PROTOCOL.udp)]))).toBe("passed");
    expect(check(first(PROTOCOL.fragment, [fragmentHeader(PROTOCOL.tcp)]))).toBe("dropped_unparsable");
    const before = concat(extension(PROTOCOL.fragment), fragmentHeader(PROTOCOL.tcp, { more: true }));
    expect(check(chained(PROTOCOL.destinationOptions, [before]))).toBe("captured");
    const ah = (next: number) =>
      ipFrame({
        ...IPV4,
        protocol: PROTOCOL.ah,
        payload: concat(authenticationHeader(next), tcpSegment(IPV4)),
        fragment: MORE_FRAGMENTS,
      });
    expect(check(ah(PROTOCOL.tcp))).toBe("dropped_unparsable");
    expect(check(ah(PROTOCOL.udp))).toBe("passed");
    expect(check(chained(PROTOCOL.fragment, [fragmentHeader(PROTOCOL.destinationOptions, { offset: 3 })]))).toBe(
      "passed",
    );
  });

  it("sends later fragments of TCP after the first, and no others", () => {
    const later = (protocol: number) => ipFrame({ ...IPV4, protocol, payload: zeros(8), fragment: MORE_FRAGMENTS | 3 });
    expect(check(later(PROTOCOL.tcp))).toBe("captured");
    expect(check(later(PROTOCOL.udp))).toBe("passed");
    const later6 = (next: number) => chained(PROTOCOL.fragment, [fragmentHeader(next, { offset: 3 })], zeros(8));
    expect(check(later6(PROTOCOL.tcp))).toBe("captured");
    expect(check(later6(PROTOCOL.udp))).toBe("passed");
    datapath.settings({});
    expect(check(later(PROTOCOL.tcp))).toBe("dropped_no_proxy");
    expect(check(later6(PROTOCOL.tcp))).toBe("dropped_no_proxy");
  });

  it("passes what is not IP", () => {
    expect(check(ethernet(ETHERTYPE.arp, zeros(28)))).toBe("passed");
    expect(check(ethernet(0x88cc, zeros(28)))).toBe("passed");
    expect(check(ethernet(0x0026, zeros(38)))).toBe("passed"); // IEEE 802.3: a length
  });

  it.each(["vlan", "qinq"] as const)("drops a frame with a %s tag inside", (name) => {
    const tagged = ethernet(
      ETHERTYPE[name],
      concat(u16(5), u16(ETHERTYPE.ipv4), ip({ ...IPV4, protocol: PROTOCOL.tcp, payload: tcpSegment(IPV4) })),
    );
    expect(check(tagged)).toBe("dropped_unparsable");
  });
});

describe.each(["ztunnel_host_in", "ztunnel_tproxy"] as const)("%s", (program) => {
  it("passes what it cannot follow: the proxy is no member", () => {
    const macs = { from: "02:4d:52:00:00:01" };
    const cut = ipFrame({ ...IPV4, protocol: PROTOCOL.tcp, payload: zeros(10) }, macs);
    expect(verdictOf(cut, program)).toBe("passed");
    expect(verdictOf(ethernet(ETHERTYPE.vlan, zeros(40), macs), program)).toBe("passed");
    expect(verdictOf(ipFrame({ ...IPV6, protocol: PROTOCOL.udp, payload: zeros(40) }, macs), program)).toBe("passed");
  });
});
