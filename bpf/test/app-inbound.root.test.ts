import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { Connection } from "./support/connection.ts";
import { Datapath } from "./support/datapath.ts";
import {
  ACK,
  icmpError,
  ip,
  MAC_INBOUND,
  mac,
  PROTOCOL,
  SYN,
  type TcpSpec,
  tcpFrame,
  tcpSegment,
} from "./support/frames.ts";
import { FAIL_OPEN, flow, le32, NODE, PASSING, PROXY, readLe32 } from "./support/layout.ts";
import { type Device, testRun } from "./support/test-run.ts";
import {
  IFINDEX_ACTIVE,
  IFINDEX_DRAINING,
  MAC_ACTIVE,
  MAC_DRAINING,
  monotonic,
  resetBeforeEach,
  SECOND,
  setProxies,
} from "./support/two-proxies.ts";

const DRAINING_1 = 0b10;
const LO = 1;

let datapath: Datapath;
beforeAll(() => {
  datapath = new Datapath();
});
afterAll(() => datapath[Symbol.dispose]());
resetBeforeEach(() => datapath);

const run = (spec: TcpSpec, device?: Device) => testRun(datapath, "app_inbound", tcpFrame(spec), device);
const captured = { verdict: "captured", action: "redirect" };
const bypassed = { verdict: "bypassed", action: "next" };
const drained = { verdict: "drained", action: "redirect" };
const delivered = { verdict: "delivered", action: "next" };

/* A frame of a test run has a socket (net/bpf/test_run.c), as one of the node's own: forwarded ones are in node-traffic.root.test.ts. */
describe.each([
  { source: "198.18.9.9", destination: "198.18.1.10", loopback: "127.0.0.1" as const },
  { source: "2001:2:0:9::9", destination: "2001:2:0:1::a", loopback: "::1" as const },
])("app_inbound, to $destination", ({ source, destination, loopback }) => {
  const ends = { source, destination, sourcePort: 40000, destinationPort: 80 };

  it("sends the frame to the active proxy, changed in nothing but its MACs", () => {
    const frame = tcpFrame(ends);
    const ran = testRun(datapath, "app_inbound", frame);
    expect(ran).toMatchObject(captured);
    expect(ran.frame.subarray(0, 6)).toEqual(mac(MAC_ACTIVE));
    expect(ran.frame.subarray(6, 12)).toEqual(mac(MAC_INBOUND));
    expect(ran.frame.subarray(12)).toEqual(frame.subarray(12));
  });

  it("drops TCP when there is no active proxy, or lets it pass when told to fail open", () => {
    datapath.settings({});
    expect(run(ends)).toMatchObject({ verdict: "dropped_no_proxy", action: "drop" });
    datapath.settings({ flags: FAIL_OPEN });
    expect(run(ends)).toMatchObject({ verdict: "open", action: "next" });
  });

  describe("from a proxy through the host", () => {
    const answer = flow(destination, 80, source, 40000);
    const workload = () => datapath.map("workloads").lookup(le32(LO)) ?? new Uint8Array(16);
    beforeEach(() => datapath.workload(LO, { flags: PASSING, adoptUntilNs: 5n }));

    it("delivers, and remembers which answers go back by the host", () => {
      expect(run(ends, { ingressIfindex: IFINDEX_ACTIVE })).toMatchObject(delivered);
      expect(datapath.map("via_host").lookup(answer)).toEqual(le32(1));
      expect([...datapath.map("via_host").keys()]).toHaveLength(1);
      expect(readLe32(workload().subarray(4))).toBe(1);
      expect(readLe32(workload())).toBe(PASSING);
      expect(workload()[8]).toBe(5);
    });

    it("remembers only SYNs, but renews the member's mark with any packet", () => {
      expect(run({ ...ends, flags: ACK }, { ingressIfindex: IFINDEX_ACTIVE })).toMatchObject(delivered);
      expect(run({ ...ends, flags: SYN | ACK }, { ingressIfindex: IFINDEX_ACTIVE })).toMatchObject(delivered);
      expect([...datapath.map("via_host").keys()]).toEqual([]);
      expect(readLe32(workload().subarray(4))).toBe(1);
    });

    it("delivers what a draining proxy sends, and what no others do", () => {
      expect(run(ends, { ingressIfindex: IFINDEX_DRAINING })).toMatchObject({ verdict: "passed" });
      datapath.settings({ active: 1, draining: DRAINING_1 });
      expect(run(ends, { ingressIfindex: IFINDEX_DRAINING })).toMatchObject(delivered);
      expect(run(ends, { ingressIfindex: 99 })).toMatchObject({ verdict: "passed" });
      datapath.settings({ draining: DRAINING_1 });
      expect(run(ends, { ingressIfindex: IFINDEX_DRAINING })).toMatchObject(delivered);
      expect(run(ends, { ingressIfindex: IFINDEX_ACTIVE })).toMatchObject({ verdict: "passed" });
    });

    it("needs no entry of the member", () => {
      datapath.map("workloads").delete(le32(LO));
      expect(run(ends, { ingressIfindex: IFINDEX_ACTIVE })).toMatchObject(delivered);
    });
  });

  it("leaves the proxy's own address alone", () => {
    datapath.address(source, PROXY);
    expect(run(ends)).toMatchObject(bypassed);
    datapath.settings({});
    expect(run(ends)).toMatchObject(bypassed);
  });

  describe("from the node", () => {
    it("passes what a socket of the node sends, with or without a proxy", () => {
      datapath.address(source, NODE);
      expect(run(ends)).toMatchObject(bypassed);
      datapath.settings({});
      expect(run({ ...ends, flags: ACK })).toMatchObject(bypassed);
    });

    it("captures the answers of the node to the proxy's connections", async () => {
      await using connection = await Connection.open(loopback);
      datapath.address(loopback, NODE);
      expect(run({ ...connection.toServer, flags: ACK })).toMatchObject(bypassed);
      setProxies(datapath, "active");
      expect(run({ ...connection.toServer, flags: ACK })).toMatchObject(captured);
      expect(run({ ...connection.toListener, flags: SYN })).toMatchObject(bypassed);
      setProxies(datapath, "draining");
      datapath.settings({ active: 1, draining: DRAINING_1 });
      expect(run({ ...connection.toServer, flags: ACK })).toMatchObject(drained);
      expect(run({ ...connection.toListener, flags: SYN })).toMatchObject(bypassed);
    });

    it("lets a new probe use the ports of what is in TIME_WAIT at the proxy", async () => {
      await using connection = await Connection.open(loopback);
      datapath.address(loopback, NODE);
      setProxies(datapath, "active");
      const closed = await connection.close();
      for (const flags of [SYN, ACK]) expect(run({ ...closed, flags })).toMatchObject(bypassed);
      setProxies(datapath, "draining");
      datapath.settings({ active: 1, draining: DRAINING_1 });
      for (const flags of [SYN, ACK]) expect(run({ ...closed, flags })).toMatchObject(bypassed);
    });
  });

  it("sends a draining proxy what it owns, and the rest to the active one", async () => {
    await using connection = await Connection.open(loopback);
    datapath.settings({ active: 1, draining: DRAINING_1 });
    setProxies(datapath, "draining");
    const ran = run({ ...connection.toServer, flags: ACK });
    expect(ran).toMatchObject(drained);
    expect(ran.frame.subarray(0, 6)).toEqual(mac(MAC_DRAINING));
    expect(ran.frame.subarray(6, 12)).toEqual(mac(MAC_INBOUND));
    expect(run({ ...connection.toListener, flags: SYN })).toMatchObject(captured);
  });

  it("gives strays to the proxy that is alive on them, not to one in TIME_WAIT", async () => {
    await using connection = await Connection.open(loopback);
    datapath.settings({ active: 1, draining: DRAINING_1 });
    const ends = await connection.close();
    setProxies(datapath, "both");
    expect(run({ ...ends, flags: ACK })).toMatchObject(drained);
    expect(run({ ...ends, flags: SYN })).toMatchObject(captured);
  });

  it("adopts connections older than the enrolment", async () => {
    await using connection = await Connection.open(loopback);
    datapath.workload(LO, { adoptUntilNs: monotonic() + 60n * SECOND });
    expect(run({ ...ends, flags: ACK })).toMatchObject({ verdict: "adopted", action: "next" });
    expect(run(ends)).toMatchObject(captured);
    setProxies(datapath, "active");
    expect(run({ ...connection.toServer, flags: ACK })).toMatchObject(captured);
  });

  it("takes an older connection for that, whatever earlier one with its ports the proxy has in TIME_WAIT", async () => {
    await using connection = await Connection.open(loopback);
    const closed = await connection.close();
    setProxies(datapath, "active");
    expect(run({ ...closed, flags: ACK })).toMatchObject(captured);
    for (const workload of [{ adoptUntilNs: monotonic() + 60n * SECOND }, { flags: PASSING }]) {
      datapath.workload(LO, workload);
      expect(run({ ...closed, flags: ACK })).toMatchObject({ action: "next" });
    }
    datapath.workload(LO, { adoptUntilNs: monotonic() + 60n * SECOND });
    expect(run({ ...closed, flags: SYN })).toMatchObject(captured);
    expect(run({ ...closed, flags: ACK })).toMatchObject(captured);
  });

  it("passes new connections around enrolment, and leaves the proxy its own", async () => {
    await using connection = await Connection.open(loopback);
    datapath.workload(LO, { flags: PASSING });
    expect(run(ends)).toMatchObject({ verdict: "passed", action: "next" });
    setProxies(datapath, "active");
    expect(run({ ...connection.toServer, flags: ACK })).toMatchObject(captured);
  });

  it("passes an ICMP error about a connection that no proxy has", async () => {
    await using connection = await Connection.open(loopback);
    const v6 = loopback === "::1";
    const quote = (spec: TcpSpec) => ip({ ...spec, protocol: PROTOCOL.tcp, payload: tcpSegment(spec).subarray(0, 8) });
    const error = (quoted: Uint8Array, type = v6 ? 2 : 3) =>
      icmpError({ source, destination, type, code: 4, mtu: 1300, quoted });
    setProxies(datapath, "active");
    const { sourcePort, destinationPort } = connection.toServer;
    for (const frame of [
      error(quote(ends)),
      error(quote({ ...connection.toServer, destinationPort: sourcePort, sourcePort: destinationPort + 1 })),
      error(quote(connection.toServer), v6 ? 128 : 8),
      error(quote(connection.toServer).subarray(0, 20)),
    ]) {
      expect(testRun(datapath, "app_inbound", frame)).toMatchObject({ verdict: "passed", action: "next" });
    }
  });
});
