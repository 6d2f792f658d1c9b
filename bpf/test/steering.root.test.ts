import { setTimeout as sleep } from "node:timers/promises";
import { netnsId, tcpSockets, writeSysctl } from "linux-ts";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { NODE_IPV4, NODE_IPV6, type Pod, until } from "./support/box.ts";
import { DIRECTION, DNS, flow, le32, TAKES_DNS } from "./support/layout.ts";
import { Mesh } from "./support/mesh.ts";
import type { Running } from "./support/process.ts";
import { dial, dialed, listen, listenAsProxy } from "./support/programs.ts";
import { buildTestPrograms, finishChecksumsBySoftware } from "./support/raw-frames.ts";

let mesh: Mesh;
let member: Pod;
let plain: Pod;
let proxy: Pod;

beforeEach(() => {
  mesh = new Mesh();
  proxy = mesh.addProxy("z", 0);
  member = mesh.addMember("m");
  plain = mesh.addPod("p");
  mesh.datapath.settings({ active: 1 });
});
afterEach(() => mesh[Symbol.asyncDispose]());

const flows = () => mesh.datapath.proxies[0]?.map("flows");
const families = [
  { family: "IPv4", v6: false, of: (pod: Pod) => pod.ipv4, node: NODE_IPV4 },
  { family: "IPv6", v6: true, of: (pod: Pod) => pod.ipv6, node: NODE_IPV6 },
];

describe.each(families)("$family connections", ({ v6, of, node }) => {
  it("come to the listener of their direction, with their true ends", async () => {
    await listenAsProxy(mesh, proxy.netns);
    const outbound = await dialed(member.netns, of(plain), 8000);
    expect(outbound).toMatchObject({
      name: "on-15001",
      source: of(member),
      destination: of(plain),
      destinationPort: 8000,
    });
    expect(await dialed(member.netns, of(plain), 15008)).toMatchObject({ name: "on-15001", destinationPort: 15008 });
    expect(await dialed(member.netns, node, 8000)).toMatchObject({ name: "on-15001", destination: node });

    const inbound = await dialed(plain.netns, of(member), 8000);
    expect(inbound).toMatchObject({
      name: "on-15006",
      source: of(plain),
      destination: of(member),
      destinationPort: 8000,
    });
    expect(await dialed(plain.netns, of(member), 15008)).toMatchObject({ name: "on-15008", destination: of(member) });
    for (const port of [15001, 15006]) {
      expect(await dialed(plain.netns, of(member), port)).toMatchObject({ name: "on-15006", destinationPort: port });
    }

    const direction = (from: typeof outbound) =>
      flows()?.lookup(flow(from.source, from.sourcePort, from.destination, from.destinationPort));
    expect(direction(outbound)).toEqual(le32(DIRECTION.outbound));
    expect(direction(inbound)).toEqual(le32(DIRECTION.inbound));
  });

  it("to the proxy's own ports are answered by those, from anywhere", async () => {
    await listenAsProxy(mesh, proxy.netns);
    await listen(mesh, proxy.netns, "own", 15021, v6);
    // From now on the inbound listener is known, and would take what is not the proxy's own.
    await dialed(member.netns, of(plain), 8000);
    const verdicts = await mesh.datapath.verdictsOf(async () => {
      for (const netns of [mesh.node, plain.netns, member.netns, proxy.netns]) {
        expect(await dialed(netns, of(proxy), 15021)).toMatchObject({ name: "own", destination: of(proxy) });
      }
      expect(await dialed(proxy.netns, v6 ? "::1" : "127.0.0.1", 15021)).toMatchObject({ name: "own" });
    });
    expect(verdicts["app_outbound.captured"]).toBeUndefined();
    expect(verdicts["ztunnel_tproxy.captured"]).toBeUndefined();
    expect(verdicts["ztunnel_lookup.passed"]).toBeGreaterThan(4);
  });

  it("fail closed when the listener of their direction is gone, and come back with it", async () => {
    const outbound = await listen(mesh, proxy.netns, "first", 15001, v6, "ip-transparent");
    await listen(mesh, proxy.netns, "inbound", 15006, v6, "ip-transparent");
    await listen(mesh, proxy.netns, "not-for-members", 8000, v6);
    expect(await dialed(member.netns, of(plain), 8000)).toMatchObject({ name: "first" });

    await outbound.stop();
    await expectRefused(member, of(plain), 8000);
    expect(await dialed(plain.netns, of(member), 8000)).toMatchObject({ name: "inbound" });

    await listen(mesh, proxy.netns, "second", 15001, v6, "ip-transparent");
    expect(await dialed(member.netns, of(plain), 8000)).toMatchObject({ name: "second" });
  });

  it("to a nameserver are dropped where no rule of the proxy's namespace redirects them", async () => {
    await listenAsProxy(mesh, proxy.netns);
    const netnsid = netnsId(proxy.netns.fd, { from: mesh.node.fd }) ?? 0;
    mesh.datapath.proxy(0, { ifindex: proxy.hostIfindex, netnsid, mac: proxy.mac, flags: TAKES_DNS });
    mesh.datapath.workload(member.hostIfindex, { flags: DNS });
    const verdicts = await mesh.datapath.verdictsOf(async () => {
      expect((await dial(member.netns, of(plain), 53, { seconds: 2 })).code).not.toBe(0);
    });
    expect(verdicts["ztunnel_tproxy.captured_dns"]).toBeGreaterThan(0);
    expect(verdicts["ztunnel_lookup.dropped_no_listener"]).toBeGreaterThan(0);
    expect(verdicts["ztunnel_lookup.captured"]).toBeUndefined();
  });

  it("find no listener in one that is bound to an address", async () => {
    await listen(mesh, proxy.netns, "bound", 15001, v6, "ip-transparent", `bind=${v6 ? "[::1]" : "127.0.0.1"}`);
    await expectRefused(member, of(plain), 8000);
  });

  it("are refused at once by a proxy that is dead, whoever asks", async () => {
    await expectRefused(member, of(plain), 8000);
    await expectRefused(member, node, 8000);
    await expectRefused(plain, of(member), 8000);
    await expectRefused(plain, of(member), 15008);
  });

  it("are refused at once whoever finishes the checksums of the packets that say so", async () => {
    buildTestPrograms();
    finishChecksumsBySoftware(proxy.netns, "eth0");
    await expectRefused(member, of(plain), 8000);
    finishChecksumsBySoftware(member.netns, "eth0");
    await expectRefused(member, of(plain), 8000);
  });

  it("are shared out among listeners with SO_REUSEPORT", async () => {
    for (const name of ["one", "two"]) await listen(mesh, proxy.netns, name, 15001, v6, "ip-transparent", "reuseport");
    const names = new Set<string>();
    for (let i = 0; i < 40 && names.size < 2; i++) names.add((await dialed(member.netns, of(plain), 8000)).name);
    expect(names).toEqual(new Set(["one", "two"]));
  });

  it("may use ports that are in TIME_WAIT at the proxy", async () => {
    await listenAsProxy(mesh, proxy.netns);
    const bind = `${v6 ? `[${of(member)}]` : of(member)}:4444`;
    const closedByProxy = () =>
      tcpSockets(proxy.netns.fd, { states: ["time-wait"] }).some(({ destinationPort }) => destinationPort === 4444);
    for (let i = 0; i < 3; i++) {
      expect(await dialed(member.netns, of(plain), 8000, { bind })).toMatchObject({
        name: "on-15001",
        sourcePort: 4444,
      });
      await until("TIME_WAIT at the proxy", closedByProxy);
    }
  });

  it("work with SYN cookies", async () => {
    writeSysctl(proxy.netns.fd, "net/ipv4/tcp_syncookies", 2);
    await listenAsProxy(mesh, proxy.netns);
    expect(await dialed(member.netns, of(plain), 8000)).toMatchObject({ name: "on-15001" });
    expect(await dialed(plain.netns, of(member), 8000)).toMatchObject({ name: "on-15006" });
  });

  /** By the answer to its first SYN, then: each one that is sent again would be counted. */
  async function expectRefused(from: Pod, address: string, port: number): Promise<void> {
    const verdicts = await mesh.datapath.verdictsOf(async () => {
      const { code, stderr } = await dial(from.netns, address, port);
      expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringMatching(/refused/) });
    });
    expect(verdicts["ztunnel_tproxy.dropped_no_listener"]).toBe(1);
  }

  /** A connection of the member past the proxy, which from then on is captured. */
  async function unknownToTheProxy(): Promise<Running> {
    mesh.datapath.settings({ flags: 1 });
    mesh.start(plain.netns, "socat", `TCP${v6 ? 6 : 4}-LISTEN:8000`, "PIPE");
    await until("the server", () => tcpSockets(plain.netns.fd, { states: ["listen"] }).length > 0);
    const target = `TCP${v6 ? 6 : 4}:${v6 ? `[${of(plain)}]` : of(plain)}:8000`;
    const client = mesh.start(member.netns, "socat", "-d", "-d", "-", target);
    client.write("a\n");
    await until("an answer", () => client.stdout === "a\n");
    mesh.datapath.settings({ active: 1 });
    return client;
  }

  async function expectReset(client: Running) {
    const verdicts = await mesh.datapath.verdictsOf(async () => {
      client.write("b\n");
      await until("the reset", () => !client.running, 10);
    });
    expect((await client.ended()).stderr).toMatch(/reset by peer/);
    return verdicts;
  }

  it("that the proxy does not know are reset", async () => {
    await listenAsProxy(mesh, proxy.netns);
    const client = await unknownToTheProxy();
    // The first connection of any direction makes the inbound listener known.
    await dialed(member.netns, of(plain), 9000);
    expect((await expectReset(client))["ztunnel_lookup.refused_orphan"]).toBe(1);
  });

  it("that the proxy does not know are reset even before its listeners are known", async () => {
    await listenAsProxy(mesh, proxy.netns);
    const client = await unknownToTheProxy();
    const verdicts = await expectReset(client);
    // In IPv6 the stack itself answers the very first packet.
    if (!v6) expect(verdicts["ztunnel_lookup.refused_orphan"]).toBe(1);
  });

  it("are reset by a proxy that is dead", async () => {
    const client = await unknownToTheProxy();
    const verdicts = await expectReset(client);
    if (!v6) expect(verdicts["ztunnel_tproxy.refused_orphan"]).toBe(1);
  });

  it("go on while the proxy listens no more, and what it does not know is reset", async () => {
    const listener = mesh.start(proxy.netns, "socat", `TCP${v6 ? 6 : 4}-LISTEN:15001,ip-transparent`, "PIPE");
    await until("the proxy", () => tcpSockets(proxy.netns.fd, { states: ["listen"] }).length > 0);
    const unknown = await unknownToTheProxy();
    const target = `TCP${v6 ? 6 : 4}:${v6 ? `[${of(plain)}]` : of(plain)}:9000`;
    const known = mesh.start(member.netns, "socat", "-", target);
    known.write("a\n");
    await until("an answer", () => known.stdout === "a\n");
    await expectReset(unknown);
    known.write("b\n");
    await until("another answer", () => known.stdout === "a\nb\n");
    expect(listener.running).toBe(true);
  });
});

describe("a dual-stack listener", () => {
  it("takes both families", async () => {
    for (const port of [15001, 15006]) {
      await listen(mesh, proxy.netns, `dual-${port}`, port, true, "ip-transparent", "ipv6-v6only=0");
    }
    expect(await dialed(member.netns, plain.ipv4, 8000)).toMatchObject({ name: "dual-15001" });
    expect(await dialed(member.netns, plain.ipv6, 8000)).toMatchObject({ name: "dual-15001" });
    expect(await dialed(plain.netns, member.ipv6, 8000)).toMatchObject({ name: "dual-15006" });
    expect(await dialed(plain.netns, member.ipv4, 8000)).toMatchObject({ name: "dual-15006" });
  });
});

describe("the programs together", () => {
  it("leave other protocols and plain pods alone", async () => {
    const { stdout } = await dialPlain();
    expect(stdout).toContain("plain");
    await sleep(50);
    const verdicts = mesh.datapath.verdicts();
    expect(Object.keys(verdicts).filter((name) => !name.endsWith(".passed"))).toEqual([]);
  });

  async function dialPlain() {
    await listen(mesh, plain.netns, "plain", 8000, false);
    return await dial(proxy.netns, plain.ipv4, 8000);
  }
});
