import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { Connection } from "./support/connection.ts";
import { Datapath } from "./support/datapath.ts";
import {
  ACK,
  checksum,
  concat,
  type Endpoints,
  FIN,
  fragmentHeader,
  ipFrame,
  isIpv6,
  MAC_DNS,
  MAC_INBOUND,
  MAC_OUTBOUND,
  PROTOCOL,
  RST,
  SYN,
  type TcpSpec,
  tcpFrame,
  tcpSegment,
  u16,
  zeros,
} from "./support/frames.ts";
import { DIRECTION, flow, le32, le64 } from "./support/layout.ts";
import { expectReset } from "./support/reset.ts";
import { testRun } from "./support/test-run.ts";
import { monotonic, SECOND } from "./support/two-proxies.ts";

/* The namespace of the tests is that of a proxy which is dead: nobody in it listens on 15001, 15006 or 15008. */

let datapath: Datapath;
beforeAll(() => {
  datapath = new Datapath();
});
afterAll(() => datapath[Symbol.dispose]());

const run = (frame: Uint8Array) => testRun(datapath, "ztunnel_tproxy", frame);
const redirected = (spec: TcpSpec, from = MAC_OUTBOUND) => tcpFrame(spec, { from });
const passed = { verdict: "passed", action: "next" };
const noListener = { verdict: "dropped_no_listener", action: "redirect" };
const orphan = { verdict: "refused_orphan", action: "redirect" };

describe.each([
  { source: "198.18.1.10", destination: "198.18.9.9", loopback: "127.0.0.1" as const },
  { source: "2001:2:0:1::a", destination: "2001:2:0:9::9", loopback: "::1" as const },
])("ztunnel_tproxy, of a dead proxy, from $source", ({ source, destination, loopback }) => {
  const v6 = isIpv6(source);
  const ends: Endpoints = { source, destination, sourcePort: 40000, destinationPort: 80 };
  /** As ztunnel_lookup notes it. */
  const note = (untilNs: bigint) => datapath.proxies[0]?.map("unanswered").update(le32(v6 ? 1 : 0), le64(untilNs));
  beforeEach(() => note(0n));

  it.each([
    { name: "SYN", spec: {}, acknowledgement: 1001 },
    { name: "SYN with options and data", spec: { options: zeros(20), payload: zeros(33) }, acknowledgement: 1034 },
    { name: "SYN at the end of the numbers", spec: { sequence: 0xffffffff }, acknowledgement: 0 },
  ])("answers a $name with a correct RST", ({ spec, acknowledgement }) => {
    for (const from of [MAC_OUTBOUND, MAC_INBOUND]) {
      const sent = redirected({ ...ends, ...spec }, from);
      const ran = run(sent);
      expect(ran).toMatchObject(noListener);
      expectReset(ran.frame, sent, ends, { sequence: 0, acknowledgement });
    }
  });

  it("gives the answer a way as long as any", () => {
    const sent = redirected(ends);
    sent[v6 ? 21 : 22] = 2;
    if (!v6) sent.set(u16(checksum(concat(sent.subarray(14, 24), zeros(2), sent.subarray(26, 34)))), 24);
    expectReset(run(sent).frame, sent, ends, { sequence: 0, acknowledgement: 1001 });
  });

  it("drops a SYN whose rest is in other fragments", () => {
    const payload = tcpSegment(ends);
    const first = v6
      ? { protocol: PROTOCOL.fragment, payload: concat(fragmentHeader(PROTOCOL.tcp, { more: true }), payload) }
      : { protocol: PROTOCOL.tcp, payload, fragment: 0x2000 };
    expect(run(ipFrame({ ...ends, ...first }, { from: MAC_OUTBOUND }))).toMatchObject({
      ...noListener,
      action: "drop",
    });
  });

  describe("once ztunnel_lookup has met what nobody answers", () => {
    beforeEach(() => note(monotonic() + 60n * SECOND));

    it.each([
      { name: "an ACK", spec: { flags: ACK, payload: zeros(9) }, reset: { sequence: 2000 } },
      { name: "the answer to a SYN", spec: { flags: SYN | ACK }, reset: { sequence: 2000 } },
      { name: "what ends it", spec: { flags: FIN | ACK, options: zeros(12) }, reset: { sequence: 2000 } },
      { name: "a FIN alone", spec: { flags: FIN, payload: zeros(5) }, reset: { sequence: 0, acknowledgement: 1006 } },
    ])("answers $name with a correct RST", ({ spec, reset }) => {
      const sent = redirected({ ...ends, ...spec });
      const ran = run(sent);
      expect(ran).toMatchObject(orphan);
      expectReset(ran.frame, sent, ends, reset);
    });

    it("answers no RST, and nothing that no program redirected", () => {
      for (const flags of [RST, RST | ACK]) expect(run(redirected({ ...ends, flags }))).toMatchObject(passed);
      expect(run(tcpFrame({ ...ends, flags: ACK }))).toMatchObject(passed);
    });

    it("leaves DNS alone, whose connections have other ports in the namespace", () => {
      expect(run(redirected({ ...ends, flags: ACK }, MAC_DNS))).toMatchObject(passed);
      datapath.proxies[0]?.map("flows").update(flow(source, 1, destination, 53), le32(DIRECTION.dns));
      const noted = redirected({ ...ends, sourcePort: 1, destinationPort: 53, flags: ACK });
      expect(run(noted)).toMatchObject(passed);
    });

    it("leaves to the stack what has a socket, in use or in TIME_WAIT", async () => {
      await using connection = await Connection.open(loopback);
      const strays = { ...connection.toServer, flags: ACK };
      expect(run(redirected(strays))).toMatchObject(passed);
      expect(run(redirected({ ...strays, sourcePort: 1 }))).toMatchObject(orphan);
      const closed = await connection.close();
      expect(run(redirected({ ...closed, flags: ACK }))).toMatchObject(passed);
    });

    it("stops looking when the time is over", () => {
      expect(run(redirected({ ...ends, flags: ACK }))).toMatchObject(orphan);
      note(monotonic());
      expect(run(redirected({ ...ends, flags: ACK }))).toMatchObject(passed);
    });
  });

  it("does not look for such as long as none was met", () => {
    expect(run(redirected({ ...ends, flags: ACK }))).toMatchObject(passed);
  });
});
