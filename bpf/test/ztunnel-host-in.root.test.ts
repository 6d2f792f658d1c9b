import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { Connection } from "./support/connection.ts";
import { Datapath } from "./support/datapath.ts";
import {
  ACK,
  checksum,
  concat,
  extension,
  FIN,
  fragmentHeader,
  ipFrame,
  isIpv6,
  mac,
  PROTOCOL,
  RST,
  SYN,
  type TcpSpec,
  tcpFrame,
  tcpSegment,
  zeros,
} from "./support/frames.ts";
import { flow, JOINING, LEAVING, le32, PASSING, PROXY, type ProgramName, ROUTED } from "./support/layout.ts";
import { expectReset } from "./support/reset.ts";
import { testRun } from "./support/test-run.ts";
import { HERE, MAC_ACTIVE, monotonic, NOWHERE, resetBeforeEach, SECOND } from "./support/two-proxies.ts";

const MAC_MEMBER = "02:00:00:00:02:01";
const LO = 1;

let datapath: Datapath;
beforeAll(() => {
  datapath = new Datapath();
});
afterAll(() => datapath[Symbol.dispose]());
resetBeforeEach(() => datapath);

const run = (spec: TcpSpec) => testRun(datapath, "ztunnel_host_in", tcpFrame(spec));
const passed = { verdict: "passed", action: "next" };
const delivered = { verdict: "delivered", action: "redirect" };

describe.each([
  { source: "198.18.1.10", destination: "198.18.1.11", loopback: "127.0.0.1" as const },
  { source: "2001:2:0:1::a", destination: "2001:2:0:1::b", loopback: "::1" as const },
])("ztunnel_host_in, to $destination", ({ source, destination, loopback }) => {
  const ends = { source, destination, sourcePort: 40000, destinationPort: 80 };
  const answer = flow(destination, 80, source, 40000);
  const enrol = () => datapath.member(destination, { ifindex: 50, mac: MAC_MEMBER });

  it("passes to the host what is for nobody here", () => {
    expect(run(ends)).toMatchObject(passed);
  });

  it("delivers to a member, changing nothing but the destination's MAC", () => {
    enrol();
    const frame = tcpFrame({ ...ends, flags: ACK });
    const ran = testRun(datapath, "ztunnel_host_in", frame);
    expect(ran).toMatchObject(delivered);
    expect(ran.frame.subarray(0, 6)).toEqual(mac(MAC_MEMBER));
    expect(ran.frame.subarray(6)).toEqual(frame.subarray(6));
  });

  it("passes the proxy's own connections and other protocols to the host", () => {
    enrol();
    expect(
      testRun(datapath, "ztunnel_host_in", ipFrame({ ...ends, protocol: PROTOCOL.udp, payload: zeros(8) })),
    ).toMatchObject(passed);
    datapath.address(source, PROXY);
    expect(run(ends)).toMatchObject(passed);
  });

  it("forgets an older connection of the same ports that went by the host", () => {
    enrol();
    datapath.map("via_host").update(answer, le32(1));
    expect(run({ ...ends, flags: ACK })).toMatchObject(delivered);
    expect(datapath.map("via_host").lookup(answer)).toEqual(le32(1));
    expect(run(ends)).toMatchObject(delivered);
    expect(datapath.map("via_host").lookup(answer)).toBeUndefined();
  });

  describe("of a connection that the proxy began since an enrolment", () => {
    const strays = { source: destination, destination: source, sourcePort: 80, destinationPort: 40000 };
    const stray = (program: ProgramName, flags = ACK) => testRun(datapath, program, tcpFrame({ ...strays, flags }));
    beforeEach(() => datapath.workload(LO, { adoptUntilNs: monotonic() + 60n * SECOND }));

    it("the called member's answers are captured, whatever socket the proxy still has", () => {
      datapath.member(destination, { ifindex: LO, mac: MAC_MEMBER });
      expect(stray("app_outbound")).toMatchObject({ verdict: "adopted" });
      datapath.map("adopted").delete(flow(source, 40000, destination, 80));
      expect(run(ends)).toMatchObject(delivered);
      expect(stray("app_outbound")).toMatchObject({ verdict: "captured" });
    });

    it("the answers to the member that it speaks for are captured, and its ports can be used again", () => {
      datapath.member(source, { ifindex: LO, mac: MAC_MEMBER });
      expect(run(ends)).toMatchObject(passed);
      expect(stray("app_inbound")).toMatchObject({ verdict: "captured" });
      expect(run(ends)).toMatchObject(passed);
    });

    const refused = { verdict: "adopted", action: "redirect" };

    it("but not what is older, whose ports are taken", () => {
      datapath.member(source, { ifindex: LO, mac: MAC_MEMBER });
      expect(stray("app_inbound")).toMatchObject({ verdict: "adopted" });
      expect(run(ends)).toMatchObject(refused);
      expect(stray("app_inbound")).toMatchObject({ verdict: "adopted" });
    });

    it("nor, once both ends have closed that or one has reset it, for long", () => {
      datapath.member(source, { ifindex: LO, mac: MAC_MEMBER });
      for (const [peer, member] of [
        [FIN | ACK, FIN | ACK],
        [RST, undefined],
        [undefined, RST | ACK],
      ]) {
        for (const name of ["begun", "adopted"]) datapath.map(name).delete(answer);
        expect(stray("app_inbound", peer)).toMatchObject({ verdict: "adopted" });
        if (peer !== RST) expect(run(ends)).toMatchObject(refused);
        if (member !== undefined) {
          const frame = tcpFrame({ ...ends, flags: member });
          expect(testRun(datapath, "app_outbound", frame)).toMatchObject({ verdict: "adopted" });
        }
        expect(run(ends)).toMatchObject(passed);
      }
    });

    it("and what a later enrolment finds of the same ports is another connection", () => {
      datapath.member(source, { ifindex: LO, mac: MAC_MEMBER });
      expect(stray("app_inbound", RST)).toMatchObject({ verdict: "adopted" });
      datapath.workload(LO, { adoptUntilNs: monotonic() + 60n * SECOND });
      expect(stray("app_inbound")).toMatchObject({ verdict: "adopted" });
      expect(run(ends)).toMatchObject(refused);
    });
  });

  describe("while another redirection has the member too", () => {
    const MOMENT = 5n;
    beforeEach(() => datapath.member(destination, { ifindex: LO, mac: MAC_MEMBER }));

    it("leaves to the host what the other one has begun, while it joins", () => {
      datapath.workload(LO, { flags: JOINING | PASSING, adoptUntilNs: MOMENT });
      for (const flags of [SYN, SYN | ACK, ACK]) expect(run({ ...ends, flags })).toMatchObject(passed);
      expect([...datapath.map("begun").keys()]).toEqual([]);

      datapath.workload(LO, { flags: JOINING, adoptUntilNs: MOMENT });
      for (const flags of [SYN | ACK, ACK]) expect(run({ ...ends, flags })).toMatchObject(passed);
      expect(run(ends)).toMatchObject(delivered);
      expect(run({ ...ends, flags: ACK })).toMatchObject(delivered);
      expect(run({ ...ends, sourcePort: 40001, flags: ACK })).toMatchObject(passed);
      // As app_outbound has noted what the member began.
      datapath.map("begun").update(flow(destination, 80, source, 40001), le32(Number(MOMENT)));
      expect(run({ ...ends, sourcePort: 40001, flags: SYN | ACK })).toMatchObject(delivered);
      datapath.workload(LO, {});
      expect(run({ ...ends, sourcePort: 40002, flags: ACK })).toMatchObject(delivered);
    });

    it("leaves to the host what a proxy accepts from now on, once it is released", () => {
      datapath.map("begun").update(answer, le32(Number(MOMENT)));
      datapath.workload(LO, { flags: LEAVING, adoptUntilNs: MOMENT });
      expect(run({ ...ends, sourcePort: 40001, flags: SYN | ACK })).toMatchObject(delivered);

      datapath.workload(LO, { flags: LEAVING | PASSING, adoptUntilNs: MOMENT });
      expect(run({ ...ends, flags: SYN | ACK })).toMatchObject(delivered);
      expect(run({ ...ends, sourcePort: 40001, flags: ACK })).toMatchObject(delivered);
      expect(run({ ...ends, sourcePort: 40001, flags: SYN | ACK })).toMatchObject(passed);
      expect(run({ ...ends, sourcePort: 40001, flags: ACK })).toMatchObject(passed);
      expect(run({ ...ends, sourcePort: 40002 })).toMatchObject(delivered);
    });
  });

  it("routes the proxy's connections when told to, but not its answers", () => {
    enrol();
    datapath.settings({ active: 1, flags: ROUTED });
    expect(run(ends)).toMatchObject(passed);
    expect(run({ ...ends, flags: SYN | ACK })).toMatchObject(delivered);
    datapath.map("via_host").update(answer, le32(1));
    expect(run({ ...ends, flags: ACK })).toMatchObject(passed);
    expect(datapath.map("via_host").lookup(answer)).toEqual(le32(1));
  });

  it("delivers later fragments as it does the first", () => {
    enrol();
    const later = isIpv6(source)
      ? { ...ends, protocol: PROTOCOL.fragment, payload: concat(fragmentHeader(PROTOCOL.tcp, { offset: 5 }), zeros(8)) }
      : { ...ends, protocol: PROTOCOL.tcp, payload: zeros(8), fragment: 5 };
    expect(testRun(datapath, "ztunnel_host_in", ipFrame(later))).toMatchObject(delivered);
    datapath.settings({ active: 1, flags: ROUTED });
    expect(testRun(datapath, "ztunnel_host_in", ipFrame(later))).toMatchObject(passed);
  });

  describe("when another proxy has the same connection", () => {
    /** What a proxy would send that chose the client's port of this connection: the other proxy has the client's socket. */
    const clashing = ({ toServer }: Connection) => toServer;
    /** The frames of a test run come in on lo: that is proxy 0's interface, so it is the sender. */
    const proxies = (sockets: { first?: boolean; second?: boolean }) => {
      datapath.proxy(0, { ifindex: LO, netnsid: sockets.first ? HERE : NOWHERE, mac: MAC_ACTIVE });
      datapath.proxy(1, { ifindex: 72, netnsid: sockets.second ? HERE : NOWHERE, mac: MAC_ACTIVE });
    };

    it("refuses the active proxy's SYN for a draining one's sake, and the other way round", async () => {
      await using connection = await Connection.open(loopback);
      proxies({ second: true });
      const refused = { verdict: "refused_collision", action: "redirect" };
      datapath.settings({ active: 1, draining: 0b10 });
      expect(run(clashing(connection))).toMatchObject(refused);
      datapath.settings({ active: 2, draining: 0b01 });
      expect(run(clashing(connection))).toMatchObject(refused);
    });

    it("lets pass what is no collision", async () => {
      await using connection = await Connection.open(loopback);
      proxies({ second: true });
      expect(run(clashing(connection))).toMatchObject(passed);
      datapath.settings({ active: 1, draining: 0b100 });
      expect(run(clashing(connection))).toMatchObject(passed);
      datapath.settings({ active: 1, draining: 0b10 });
      expect(run({ ...clashing(connection), flags: ACK })).toMatchObject(passed);
      expect(run({ ...clashing(connection), sourcePort: 1 })).toMatchObject(passed);
      proxies({ first: true });
      expect(run(clashing(connection))).toMatchObject(passed);
    });

    it("lets a SYN replace a connection in TIME_WAIT", async () => {
      await using connection = await Connection.open(loopback);
      proxies({ second: true });
      datapath.settings({ active: 1, draining: 0b10 });
      const closed = await connection.close();
      const server = { ...closed, source: closed.destination, destination: closed.source };
      expect(run({ ...server, sourcePort: closed.destinationPort, destinationPort: closed.sourcePort })).toMatchObject(
        passed,
      );
    });

    it.each([
      { name: "a plain SYN", spec: {} },
      { name: "a SYN with options", spec: { options: zeros(20), sequence: 0xffffffff } },
      { name: "a SYN with data", spec: { options: zeros(4), payload: zeros(33), sequence: 7 } },
    ])("answers $name with a correct RST", async ({ spec }) => {
      await using connection = await Connection.open(loopback);
      proxies({ second: true });
      datapath.settings({ active: 1, draining: 0b10 });
      const syn = { ...clashing(connection), sequence: 1000, ...spec };
      const sent = tcpFrame(syn);
      const { frame } = testRun(datapath, "ztunnel_host_in", sent);
      const dataBytes = "payload" in spec ? spec.payload.length : 0;
      const acknowledgement = (syn.sequence + 1 + dataBytes) % 2 ** 32;
      expectReset(frame, sent, syn, { sequence: 0, acknowledgement });
    });

    it("answers within IP options or extension headers", async () => {
      await using connection = await Connection.open(loopback);
      proxies({ second: true });
      datapath.settings({ active: 1, draining: 0b10 });
      const spec = clashing(connection);
      const segment = tcpSegment({ ...spec, options: zeros(12) });
      const syn = isIpv6(spec.source)
        ? { ...spec, protocol: PROTOCOL.hopByHop, payload: concat(extension(PROTOCOL.tcp), segment) }
        : { ...spec, protocol: PROTOCOL.tcp, payload: segment, options: zeros(8) };
      const { frame, verdict } = testRun(datapath, "ztunnel_host_in", ipFrame(syn));
      expect(verdict).toBe("refused_collision");
      const header = isIpv6(spec.source) ? 48 : 28;
      expect(frame).toHaveLength(14 + header + 20);
      const view = new DataView(frame.buffer, frame.byteOffset + 14);
      expect(isIpv6(spec.source) ? view.getUint16(4) + 40 : view.getUint16(2)).toBe(header + 20);
      if (!isIpv6(spec.source)) expect(checksum(frame.subarray(14, 42))).toBe(0);
      expect(frame[14 + header + 13]).toBe(RST | ACK);
    });
  });
});
