import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { Datapath } from "./support/datapath.ts";
import {
  ACK,
  concat,
  extension,
  fragmentHeader,
  type IpSpec,
  ipFrame,
  isIpv6,
  MAC_DNS,
  MAC_OUTBOUND,
  mac,
  PROTOCOL,
  SYN,
  tcpFrame,
  u8,
  u16,
  zeros,
} from "./support/frames.ts";
import { DIRECTION, DNS, FAIL_OPEN, flow, le32, PASSING, PROXY, TAKES_DNS } from "./support/layout.ts";
import { testRun } from "./support/test-run.ts";
import { IFINDEX_ACTIVE, MAC_ACTIVE, NOWHERE, resetBeforeEach } from "./support/two-proxies.ts";

const LO = 1;
const MAC_MEMBER = "02:00:00:00:02:01";

let datapath: Datapath;
beforeAll(() => {
  datapath = new Datapath();
});
afterAll(() => datapath[Symbol.dispose]());
resetBeforeEach(() => datapath);

const out = (frame: Uint8Array) => testRun(datapath, "app_outbound", frame);
const fromProxy = (frame: Uint8Array) => testRun(datapath, "ztunnel_host_in", frame);
const proxyWith = (flags: number) =>
  datapath.proxy(0, { ifindex: IFINDEX_ACTIVE, netnsid: NOWHERE, mac: MAC_ACTIVE, flags });

const passed = { verdict: "passed", action: "next" };
const captured = { verdict: "captured", action: "redirect" };
const asked = { verdict: "captured_dns", action: "redirect" };

describe.each([
  { member: "198.18.1.10", server: "198.18.9.9" },
  { member: "2001:2:0:1::a", server: "2001:2:0:9::9" },
])("DNS of $member", ({ member, server }) => {
  beforeEach(() => {
    proxyWith(TAKES_DNS);
    datapath.workload(LO, { flags: DNS });
  });

  const udp = (sourcePort: number, destinationPort: number, message = zeros(12)) =>
    concat(u16(sourcePort), u16(destinationPort), u16(8 + message.length), zeros(2), message);
  const packet = (more: Partial<IpSpec> = {}) =>
    ipFrame({ source: member, destination: server, protocol: PROTOCOL.udp, payload: udp(40000, 53), ...more });
  const tcp = (flags: number, destinationPort = 53) =>
    tcpFrame({ source: member, destination: server, sourcePort: 40000, destinationPort, flags });

  it("goes to the proxy with a source MAC of its own, over UDP and TCP", () => {
    for (const frame of [packet(), tcp(SYN), tcp(ACK)]) {
      const ran = out(frame);
      expect(ran).toMatchObject(asked);
      expect(ran.frame.subarray(0, 6)).toEqual(mac(MAC_ACTIVE));
      expect(ran.frame.subarray(6, 12)).toEqual(mac(MAC_DNS));
      expect(ran.frame.subarray(12)).toEqual(frame.subarray(12));
    }
  });

  it("is told from everything else", () => {
    expect(out(packet({ payload: udp(40000, 5353) }))).toMatchObject(passed);
    expect(out(packet({ payload: udp(53, 40000) }))).toMatchObject(passed);
    expect(out(packet({ payload: zeros(4) }))).toMatchObject(passed);
    expect(out(packet({ protocol: PROTOCOL.esp }))).toMatchObject(passed);
    expect(out(tcp(SYN, 54))).toMatchObject(captured);
    if (isIpv6(member)) {
      const hidden = { protocol: PROTOCOL.destinationOptions, payload: concat(extension(PROTOCOL.udp), udp(1, 53)) };
      expect(out(packet(hidden))).toMatchObject(asked);
    } else {
      expect(out(packet({ options: u8(1, 1, 1, 1) }))).toMatchObject(asked);
    }
  });

  it("is not captured for a workload whose DNS is not, and that is TCP like any other", () => {
    datapath.workload(LO, {});
    expect(out(packet())).toMatchObject(passed);
    const ran = out(tcp(SYN));
    expect(ran).toMatchObject(captured);
    expect(ran.frame.subarray(6, 12)).toEqual(mac(MAC_OUTBOUND));
  });

  it("passes to a proxy's own address, and around enrolment", () => {
    datapath.address(server, PROXY);
    expect(out(packet())).toMatchObject({ verdict: "bypassed", action: "next" });
    datapath.reset();
    proxyWith(TAKES_DNS);
    datapath.settings({ active: 1 });
    datapath.workload(LO, { flags: DNS | PASSING });
    expect(out(packet())).toMatchObject(passed);
    expect(out(tcp(SYN))).toMatchObject(passed);
  });

  it("fails closed without a proxy and without one that takes it, or open when told to", () => {
    proxyWith(0);
    const noListener = { verdict: "dropped_no_listener", action: "drop" };
    expect(out(packet())).toMatchObject(noListener);
    expect(out(tcp(SYN))).toMatchObject(noListener);
    expect(out(tcp(SYN, 80))).toMatchObject(captured);
    datapath.settings({ active: 1, flags: FAIL_OPEN });
    expect(out(packet())).toMatchObject({ verdict: "open", action: "next" });
    datapath.settings({});
    expect(out(packet())).toMatchObject({ verdict: "dropped_no_proxy", action: "drop" });
    expect(out(tcp(SYN))).toMatchObject({ verdict: "dropped_no_proxy", action: "drop" });
    datapath.settings({ flags: FAIL_OPEN });
    expect(out(packet())).toMatchObject({ verdict: "open", action: "next" });
  });

  it("is not what a member answers that serves DNS, to a client that asks from port 53", () => {
    expect(out(packet({ payload: udp(53, 53, u8(0, 1, 0x80, 0)) }))).toMatchObject(passed);
    expect(out(packet({ payload: udp(53, 53, u8(0, 1, 0x01, 0)) }))).toMatchObject(asked);
    expect(out(packet({ payload: udp(53, 53, zeros(0)) }))).toMatchObject(asked);
    // From any other port it is no answer, whatever it says.
    expect(out(packet({ payload: udp(40000, 53, u8(0, 1, 0x80, 0)) }))).toMatchObject(asked);
  });

  const inFragments = (payload: Uint8Array, offset: number, more: boolean): Partial<IpSpec> =>
    isIpv6(member)
      ? { protocol: PROTOCOL.fragment, payload: concat(fragmentHeader(PROTOCOL.udp, { offset, more }), payload) }
      : { payload, fragment: offset | (more ? 0x2000 : 0) };

  it("is dropped in fragments, the rest of which nobody could know", () => {
    expect(out(packet(inFragments(udp(40000, 53), 0, true)))).toMatchObject({
      verdict: "dropped_unparsable",
      action: "drop",
    });
    expect(out(packet(inFragments(udp(40000, 5353), 0, true)))).toMatchObject(passed);
    expect(out(packet(inFragments(zeros(16), 10, false)))).toMatchObject(passed);
  });

  it("is answered straight into the member, in fragments too", () => {
    const answer = (more: Partial<IpSpec> = {}) =>
      packet({ source: server, destination: member, payload: udp(53, 40000), ...more });
    expect(fromProxy(answer())).toMatchObject(passed);
    datapath.member(member, { ifindex: 50, mac: MAC_MEMBER });
    const ran = fromProxy(answer());
    expect(ran).toMatchObject({ verdict: "delivered", action: "redirect" });
    expect(ran.frame.subarray(0, 6)).toEqual(mac(MAC_MEMBER));
    for (const fragment of [inFragments(udp(53, 40000), 0, true), inFragments(zeros(16), 10, false)]) {
      expect(fromProxy(answer(fragment))).toMatchObject({ verdict: "delivered" });
    }
    expect(fromProxy(answer({ payload: udp(54, 40000) }))).toMatchObject(passed);
    expect(fromProxy(answer({ payload: zeros(4) }))).toMatchObject(passed);
    datapath.address(server, PROXY);
    expect(fromProxy(answer())).toMatchObject(passed);
    expect(fromProxy(answer(inFragments(zeros(16), 10, false)))).toMatchObject(passed);
  });

  it("is known in the proxy's namespace, where no listener of ours is for it", () => {
    const steer = (frame: Uint8Array) => testRun(datapath, "ztunnel_tproxy", frame);
    const ends = { source: member, destination: server, sourcePort: 40000, destinationPort: 53 };
    expect(steer(tcpFrame(ends, { from: MAC_DNS }))).toMatchObject({ verdict: "captured_dns", action: "next" });
    const flows = datapath.proxies[0]?.map("flows");
    expect(flows?.lookup(flow(member, 40000, server, 53))).toEqual(le32(DIRECTION.dns));
    expect(steer(tcpFrame({ ...ends, flags: ACK }, { from: MAC_DNS }))).toMatchObject(passed);
  });
});
