import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { Connection } from "./support/connection.ts";
import { Datapath } from "./support/datapath.ts";
import { ACK, FIN, RST, SYN, type TcpSpec, tcpFrame } from "./support/frames.ts";
import { EXCLUDES, excludedNetwork, excludedPort, flow, le32, type Way } from "./support/layout.ts";
import { testRun } from "./support/test-run.ts";
import { resetBeforeEach, setProxies } from "./support/two-proxies.ts";

const DRAINING_1 = 0b10;
const LO = 1;

let datapath: Datapath;
beforeAll(() => {
  datapath = new Datapath();
});
afterAll(() => datapath[Symbol.dispose]());
resetBeforeEach(() => datapath);

const out = (spec: TcpSpec) => testRun(datapath, "app_outbound", tcpFrame(spec));
const into = (spec: TcpSpec) => testRun(datapath, "app_inbound", tcpFrame(spec));
const fromProxy = (spec: TcpSpec) => testRun(datapath, "ztunnel_host_in", tcpFrame(spec));
const reverse = (spec: TcpSpec) => ({
  source: spec.destination,
  destination: spec.source,
  sourcePort: spec.destinationPort,
  destinationPort: spec.sourcePort,
});
const excludePort = (way: Way, port: number, ifindex = LO) =>
  datapath.map("excluded_ports").update(excludedPort(ifindex, way, port), le32(1));
const excludeNetwork = (way: Way, network: string, bits: number, ifindex = LO) =>
  datapath.map("excluded_networks").update(excludedNetwork(ifindex, way, network, bits), le32(1));

const captured = { verdict: "captured", action: "redirect" };
const excluded = { verdict: "excluded", action: "next" };

describe.each([
  { member: "198.18.1.10", peer: "198.18.9.9", near: "198.18.9.0", bits: 24, loopback: "127.0.0.1" as const },
  { member: "2001:2:0:1::a", peer: "2001:2:0:9::9", near: "2001:2:0:9::", bits: 64, loopback: "::1" as const },
])("exclusions of $member", ({ member, peer, near, bits, loopback }) => {
  const calls = { source: member, destination: peer, sourcePort: 40000, destinationPort: 5432 };
  const called = { source: peer, destination: member, sourcePort: 40000, destinationPort: 9090 };

  beforeEach(() => datapath.workload(LO, { flags: EXCLUDES }));

  /** Both ways of a connection, from its SYN on. */
  const expectBothWays = (begins: TcpSpec, isOutbound: boolean, expected: object) => {
    const [there, back] = isOutbound ? [out, into] : [into, out];
    expect(there({ ...begins, flags: SYN })).toMatchObject(expected);
    expect(back({ ...reverse(begins), flags: SYN | ACK })).toMatchObject(expected);
    expect(there({ ...begins, flags: ACK })).toMatchObject(expected);
  };

  it("let what goes to a port pass, and its answers, and nothing else", () => {
    excludePort("outbound", 5432);
    expectBothWays(calls, true, excluded);
    expectBothWays({ ...calls, destinationPort: 5433 }, true, captured);
    expectBothWays({ ...calls, sourcePort: 5432, destinationPort: 80 }, true, captured);
    expectBothWays({ ...called, destinationPort: 5432 }, false, captured);
  });

  it("let what goes to a network pass", () => {
    excludeNetwork("outbound", near, bits);
    expectBothWays(calls, true, excluded);
    expectBothWays({ ...calls, destination: loopback }, true, captured);
    expectBothWays(called, false, captured);
  });

  it("let what comes to a port of the member pass", () => {
    excludePort("inbound", 9090);
    expectBothWays(called, false, excluded);
    expectBothWays({ ...called, destinationPort: 9091 }, false, captured);
    expectBothWays({ ...calls, destinationPort: 9090 }, true, captured);
  });

  it("let what comes from a network pass, be it as large as the whole family", () => {
    excludeNetwork("inbound", near, bits);
    expectBothWays(called, false, excluded);
    expectBothWays({ ...called, source: loopback }, false, captured);
    excludeNetwork("inbound", loopback, 0);
    expectBothWays({ ...called, source: loopback, sourcePort: 2 }, false, excluded);
  });

  it("are one workload's, and looked at only where there are any", () => {
    excludePort("outbound", 5432, 7);
    excludeNetwork("outbound", near, bits, 7);
    expectBothWays(calls, true, captured);
    excludePort("outbound", 5432);
    datapath.workload(LO, {});
    expectBothWays(calls, true, captured);
  });

  it("let connections pass without a proxy, and fail closed for the others", () => {
    excludePort("outbound", 5432);
    datapath.settings({});
    expectBothWays(calls, true, excluded);
    expect(out({ ...calls, destinationPort: 80 })).toMatchObject({ verdict: "dropped_no_proxy", action: "drop" });
  });

  it("are decided on by the SYN: what goes on when one comes or goes stays where it is", () => {
    expect(out({ ...calls, flags: SYN })).toMatchObject(captured);
    excludePort("outbound", 5432);
    expect(out({ ...calls, flags: ACK })).toMatchObject(captured);
    expect(into({ ...reverse(calls), flags: ACK })).toMatchObject(captured);
    const second = { ...calls, sourcePort: 40001 };
    expectBothWays(second, true, excluded);
    datapath.map("excluded_ports").delete(excludedPort(LO, "outbound", 5432));
    expect(out({ ...second, flags: ACK })).toMatchObject(excluded);
    expect(into({ ...reverse(second), flags: ACK })).toMatchObject(excluded);
    // A new connection of the same ports is a new question.
    expect(out({ ...second, flags: SYN })).toMatchObject(captured);
    expect(out({ ...second, flags: ACK })).toMatchObject(captured);
  });

  it("leave with the proxy what it has, also when its SYN is sent again", async () => {
    await using connection = await Connection.open(loopback);
    const { toServer } = connection;
    excludePort("outbound", toServer.destinationPort);
    for (const [sockets, verdict] of [
      ["active", "captured"],
      ["draining", "drained"],
    ] as const) {
      setProxies(datapath, sockets);
      datapath.settings({ active: 1, draining: DRAINING_1 });
      expect(out({ ...toServer, flags: SYN })).toMatchObject({ verdict });
      expect(out({ ...toServer, flags: ACK })).toMatchObject({ verdict });
    }
    setProxies(datapath, "nobody");
    expect(out({ ...toServer, flags: SYN })).toMatchObject(excluded);
  });

  it("keep the proxy off the ports of a connection past it until that is over", () => {
    excludePort("outbound", 5432);
    excludePort("inbound", 9090);
    for (const [connection, isOutbound] of [
      [calls, true],
      [called, false],
    ] as const) {
      const [there, back] = isOutbound ? [out, into] : [into, out];
      const refused = { verdict: "excluded", action: "redirect" };
      expect(fromProxy({ ...connection, flags: SYN })).toMatchObject({ verdict: "passed" });
      there({ ...connection, flags: SYN });
      expect(fromProxy({ ...connection, flags: SYN })).toMatchObject(refused);
      there({ ...connection, flags: FIN | ACK });
      expect(fromProxy({ ...connection, flags: SYN })).toMatchObject(refused);
      expect(back({ ...reverse(connection), flags: FIN | ACK })).toMatchObject(excluded);
      expect(there({ ...connection, flags: ACK })).toMatchObject(excluded);
      expect(fromProxy({ ...connection, flags: SYN })).toMatchObject({ verdict: "passed" });
      // Now they are the proxy's.
      expect(back({ ...reverse(connection), flags: SYN | ACK })).toMatchObject(captured);

      there({ ...connection, flags: SYN });
      back({ ...reverse(connection), flags: RST | ACK });
      expect(fromProxy({ ...connection, flags: SYN })).toMatchObject({ verdict: "passed" });
    }
  });

  it("remember a connection as packets to the member show it", () => {
    excludePort("outbound", 5432);
    out({ ...calls, flags: SYN });
    const { source, sourcePort, destination, destinationPort } = reverse(calls);
    expect([...datapath.map("excluded").keys()]).toEqual([flow(source, sourcePort, destination, destinationPort)]);
  });
});
