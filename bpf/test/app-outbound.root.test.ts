import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { Connection } from "./support/connection.ts";
import { Datapath } from "./support/datapath.ts";
import { ACK, MAC_OUTBOUND, mac, RST, SYN, type TcpSpec, tcpFrame } from "./support/frames.ts";
import { FAIL_OPEN, flow, JOINING, LEAVING, le32, NODE, PASSING, PROXY } from "./support/layout.ts";
import { testRun } from "./support/test-run.ts";
import { MAC_ACTIVE, MAC_DRAINING, monotonic, resetBeforeEach, SECOND, setProxies } from "./support/two-proxies.ts";

const DRAINING_1 = 0b10;
const LO = 1;

let datapath: Datapath;
beforeAll(() => {
  datapath = new Datapath();
});
afterAll(() => datapath[Symbol.dispose]());
resetBeforeEach(() => datapath);

const run = (spec: TcpSpec) => testRun(datapath, "app_outbound", tcpFrame(spec));
const captured = { verdict: "captured", action: "redirect" };
const bypassed = { verdict: "bypassed", action: "next" };
const drained = { verdict: "drained", action: "redirect" };
const macOf = (frame: Uint8Array) => frame.subarray(0, 6);

describe.each([
  { source: "198.18.1.10", destination: "198.18.9.9", loopback: "127.0.0.1" as const },
  { source: "2001:2:0:1::a", destination: "2001:2:0:9::9", loopback: "::1" as const },
])("app_outbound, from $source", ({ source, destination, loopback }) => {
  const ends = { source, destination, sourcePort: 40000, destinationPort: 80 };

  it("sends the frame to the active proxy, changed in nothing but its MACs", () => {
    const frame = tcpFrame(ends);
    const ran = testRun(datapath, "app_outbound", frame);
    expect(ran).toMatchObject(captured);
    expect(macOf(ran.frame)).toEqual(mac(MAC_ACTIVE));
    expect(ran.frame.subarray(6, 12)).toEqual(mac(MAC_OUTBOUND));
    expect(ran.frame.subarray(12)).toEqual(frame.subarray(12));
  });

  it("leaves the proxy's own address alone, even without a proxy", () => {
    datapath.address(destination, PROXY);
    expect(run(ends)).toMatchObject(bypassed);
    datapath.settings({});
    expect(run({ ...ends, flags: ACK })).toMatchObject(bypassed);
  });

  it("drops TCP when there is no active proxy", () => {
    datapath.settings({});
    expect(run(ends)).toMatchObject({ verdict: "dropped_no_proxy", action: "drop" });
    datapath.settings({ active: 4 });
    expect(run({ ...ends, flags: ACK })).toMatchObject({ verdict: "dropped_no_proxy", action: "drop" });
  });

  it("lets TCP pass without a proxy when told to fail open", () => {
    datapath.settings({ flags: FAIL_OPEN });
    expect(run(ends)).toMatchObject({ verdict: "open", action: "next" });
    datapath.settings({ active: 1, flags: FAIL_OPEN });
    expect(run(ends)).toMatchObject(captured);
  });

  describe("to the node", () => {
    it("captures a SYN and what no socket of the node knows", () => {
      datapath.address(destination, NODE);
      expect(run(ends)).toMatchObject(captured);
      expect(run({ ...ends, flags: SYN | ACK })).toMatchObject(captured);
    });

    it("passes the answer to a probe, with or without a proxy", async () => {
      await using connection = await Connection.open(loopback);
      datapath.address(loopback, NODE);
      expect(run({ ...connection.toServer, flags: ACK })).toMatchObject(bypassed);
      expect(run({ ...connection.toServer, flags: SYN | ACK })).toMatchObject(bypassed);
      expect(run({ ...connection.toServer, flags: SYN })).toMatchObject(captured);
      datapath.settings({});
      expect(run({ ...connection.toServer, flags: ACK })).toMatchObject(bypassed);
    });

    it("passes the last answers to a probe, whose socket is in TIME_WAIT", async () => {
      await using connection = await Connection.open(loopback);
      datapath.address(loopback, NODE);
      const closed = await connection.close();
      expect(run({ ...closed, flags: ACK })).toMatchObject(bypassed);
      setProxies(datapath, "both");
      datapath.settings({ active: 1, draining: DRAINING_1 });
      expect(run({ ...closed, flags: ACK })).toMatchObject(bypassed);
    });

    it("is not deceived by a listener of the node", async () => {
      await using connection = await Connection.open(loopback);
      datapath.address(loopback, NODE);
      expect(run({ ...connection.toListener, flags: ACK })).toMatchObject(captured);
    });

    it("captures what the proxy owns", async () => {
      await using connection = await Connection.open(loopback);
      datapath.address(loopback, NODE);
      setProxies(datapath, "active");
      expect(run({ ...connection.toServer, flags: ACK })).toMatchObject(captured);
      setProxies(datapath, "draining");
      datapath.settings({ active: 1, draining: DRAINING_1 });
      expect(run({ ...connection.toServer, flags: ACK })).toMatchObject(drained);
    });
  });

  describe("answering what a proxy sent through the host", () => {
    beforeEach(() => {
      datapath.map("via_host").update(flow(source, 40000, destination, 80), le32(1));
      datapath.workload(LO, { viaHost: 1 });
    });

    it("passes all but a SYN", () => {
      expect(run({ ...ends, flags: SYN | ACK })).toMatchObject({ verdict: "passed", action: "next" });
      expect(run({ ...ends, flags: ACK })).toMatchObject({ verdict: "passed", action: "next" });
      expect(run(ends)).toMatchObject(captured);
      expect(run({ ...ends, destinationPort: 81, flags: ACK })).toMatchObject(captured);
    });

    it("goes before a draining proxy's claim", async () => {
      await using connection = await Connection.open(loopback);
      const { toServer: to } = connection;
      datapath.map("via_host").update(flow(to.source, to.sourcePort, to.destination, to.destinationPort), le32(1));
      setProxies(datapath, "draining");
      datapath.settings({ active: 1, draining: DRAINING_1 });
      expect(run({ ...to, flags: ACK })).toMatchObject({ verdict: "passed", action: "next" });
    });

    it("asks only for members that have such connections", () => {
      datapath.workload(LO, {});
      expect(run({ ...ends, flags: ACK })).toMatchObject(captured);
    });
  });

  describe("while a proxy drains", () => {
    beforeEach(() => datapath.settings({ active: 1, draining: DRAINING_1 }));

    it("sends it what it owns, and the rest to the active proxy", async () => {
      await using connection = await Connection.open(loopback);
      setProxies(datapath, "draining");
      for (const flags of [ACK, SYN, RST]) {
        const ran = run({ ...connection.toServer, flags });
        expect(ran).toMatchObject(drained);
        expect(macOf(ran.frame)).toEqual(mac(MAC_DRAINING));
        expect(ran.frame.subarray(6, 12)).toEqual(mac(MAC_OUTBOUND));
      }
      expect(run({ ...connection.toListener, flags: SYN })).toMatchObject(captured);
      expect(run({ ...connection.toListener, flags: ACK })).toMatchObject(captured);
      datapath.settings({ active: 1 });
      expect(run({ ...connection.toServer, flags: ACK })).toMatchObject(captured);
    });

    it("goes on when there is no active proxy", async () => {
      await using connection = await Connection.open(loopback);
      setProxies(datapath, "draining");
      datapath.settings({ draining: DRAINING_1 });
      expect(run({ ...connection.toServer, flags: ACK })).toMatchObject(drained);
      expect(run({ ...connection.toListener, flags: SYN })).toMatchObject({ verdict: "dropped_no_proxy" });
    });

    it("sends it strays of a connection in TIME_WAIT, but no new SYN", async () => {
      await using connection = await Connection.open(loopback);
      setProxies(datapath, "draining");
      const ends = await connection.close();
      expect(run({ ...ends, flags: ACK })).toMatchObject(drained);
      expect(run({ ...ends, flags: SYN })).toMatchObject(captured);
      expect(run({ ...ends, flags: SYN | ACK })).toMatchObject(captured);
    });

    it("finds the owner in any slot, and skips slots that are free", async () => {
      await using connection = await Connection.open(loopback);
      datapath.proxy(7, { ifindex: 77, netnsid: 0xffffffff, mac: MAC_DRAINING });
      datapath.settings({ active: 1, draining: 0b10001110 });
      expect(run({ ...connection.toServer, flags: ACK })).toMatchObject(drained);
      datapath.proxy(7, { ifindex: 0, netnsid: 0xffffffff, mac: MAC_DRAINING });
      expect(run({ ...connection.toServer, flags: ACK })).toMatchObject(captured);
    });
  });

  describe("on a connection older than the enrolment", () => {
    it("passes all but SYNs until the time is up", () => {
      datapath.workload(LO, { adoptUntilNs: monotonic() + 60n * SECOND });
      expect(run({ ...ends, flags: ACK })).toMatchObject({ verdict: "adopted", action: "next" });
      expect(run({ ...ends, flags: SYN | ACK })).toMatchObject({ verdict: "adopted", action: "next" });
      datapath.workload(LO, { adoptUntilNs: monotonic() });
      expect(run({ ...ends, flags: ACK })).toMatchObject(captured);
    });

    it("captures what the proxy owns", async () => {
      await using connection = await Connection.open(loopback);
      setProxies(datapath, "active");
      datapath.workload(LO, { adoptUntilNs: monotonic() + 60n * SECOND });
      expect(run({ ...connection.toServer, flags: ACK })).toMatchObject(captured);
      expect(run({ ...connection.toListener, flags: ACK })).toMatchObject({ verdict: "adopted" });
    });

    it("captures strays of what a proxy has in TIME_WAIT only if that began since", async () => {
      await using connection = await Connection.open(loopback);
      const closed = await connection.close();
      for (const [sockets, taken] of [
        ["active", captured],
        ["draining", drained],
      ] as const) {
        setProxies(datapath, sockets);
        datapath.settings({ active: 1, draining: DRAINING_1 });
        datapath.workload(LO, { adoptUntilNs: monotonic() + 60n * SECOND });
        expect(run({ ...closed, flags: ACK })).toMatchObject({ verdict: "adopted", action: "next" });
        expect(run({ ...closed, flags: SYN })).toMatchObject(captured);
        expect(run({ ...closed, flags: ACK })).toMatchObject(taken);
      }
    });

    it("takes nothing for begun because an earlier enrolment saw it begin", () => {
      datapath.workload(LO, { adoptUntilNs: monotonic() + 60n * SECOND });
      expect(run(ends)).toMatchObject(captured);
      expect(run({ ...ends, flags: ACK })).toMatchObject(captured);
      datapath.workload(LO, { adoptUntilNs: monotonic() + 60n * SECOND });
      expect(run({ ...ends, flags: ACK })).toMatchObject({ verdict: "adopted", action: "next" });
    });

    it("captures what began since, even if the proxy keeps no socket of it, as with a SYN cookie", () => {
      datapath.workload(LO, { adoptUntilNs: monotonic() + 60n * SECOND });
      expect(run({ ...ends, sourcePort: 40001 })).toMatchObject(captured);
      expect(run({ ...ends, sourcePort: 40001, flags: ACK })).toMatchObject(captured);
      expect(run({ ...ends, sourcePort: 40002, flags: ACK })).toMatchObject({ verdict: "adopted" });
    });

    it("is dropped without a proxy", () => {
      datapath.workload(LO, { adoptUntilNs: monotonic() + 60n * SECOND });
      datapath.settings({});
      expect(run({ ...ends, flags: ACK })).toMatchObject({ verdict: "dropped_no_proxy" });
    });
  });

  describe("while another redirection has the member too", () => {
    const passed = { verdict: "passed", action: "next" };
    const MOMENT = 5n;

    it("passes all while it joins, whatever the proxy has, until new ones are its own", async () => {
      await using connection = await Connection.open(loopback);
      setProxies(datapath, "active");
      datapath.workload(LO, { flags: JOINING | PASSING, adoptUntilNs: MOMENT });
      for (const flags of [SYN, ACK]) expect(run({ ...connection.toServer, flags })).toMatchObject(passed);
      expect([...datapath.map("begun").keys()]).toEqual([]);

      datapath.workload(LO, { flags: JOINING, adoptUntilNs: MOMENT });
      expect(run({ ...ends, flags: ACK })).toMatchObject(passed);
      expect(run(ends)).toMatchObject(captured);
      expect(run({ ...ends, flags: ACK })).toMatchObject(captured);
      expect(run({ ...ends, sourcePort: 40001, flags: ACK })).toMatchObject(passed);

      // Begun when it joined an earlier time.
      datapath.workload(LO, { flags: JOINING, adoptUntilNs: MOMENT + 1n });
      expect(run({ ...ends, flags: ACK })).toMatchObject(passed);
      datapath.workload(LO, {});
      expect(run({ ...ends, sourcePort: 40001, flags: ACK })).toMatchObject(captured);
    });

    it("notes what begins before it is released, and then sends on what the other one has begun", async () => {
      await using connection = await Connection.open(loopback);
      const { toServer: to } = connection;
      setProxies(datapath, "active");
      datapath.workload(LO, { flags: LEAVING, adoptUntilNs: MOMENT });
      expect(run(ends)).toMatchObject(captured);
      expect(datapath.map("begun").lookup(flow(source, 40000, destination, 80))).toEqual(le32(Number(MOMENT)));

      datapath.workload(LO, { flags: LEAVING | PASSING, adoptUntilNs: MOMENT });
      expect(run({ ...ends, sourcePort: 40001 })).toMatchObject(passed);
      expect(run({ ...to, flags: ACK })).toMatchObject(captured);
      datapath.map("by_host").update(flow(to.destination, to.destinationPort, to.source, to.sourcePort), le32(1));
      expect(run({ ...to, flags: ACK })).toMatchObject(passed);
    });
  });

  it("passes new connections around enrolment, and leaves the proxy its own", async () => {
    await using connection = await Connection.open(loopback);
    datapath.workload(LO, { flags: PASSING });
    expect(run(ends)).toMatchObject({ verdict: "passed", action: "next" });
    setProxies(datapath, "active");
    expect(run({ ...connection.toServer, flags: ACK })).toMatchObject(captured);
    datapath.settings({});
    expect(run(ends)).toMatchObject({ verdict: "passed", action: "next" });
  });

  it("passes around enrolment what has the ports of a connection that a proxy has in TIME_WAIT", async () => {
    await using connection = await Connection.open(loopback);
    const closed = await connection.close();
    datapath.workload(LO, { flags: PASSING });
    for (const sockets of ["active", "draining"] as const) {
      setProxies(datapath, sockets);
      datapath.settings({ active: 1, draining: DRAINING_1 });
      for (const flags of [SYN, SYN | ACK, ACK])
        expect(run({ ...closed, flags })).toMatchObject({ verdict: "passed", action: "next" });
    }
  });
});
