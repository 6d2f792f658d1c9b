import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Agent } from "../testing/agent.ts";
import { type BoxPod, NodeBox, proxyOf, workloadOf } from "../testing/node-box.ts";
import { PodProgram, startProxy } from "../testing/traffic.ts";

const EXCHANGE = fileURLToPath(new URL("../testing/exchange.ts", import.meta.url));
const BPF = fileURLToPath(new URL("../../../../bpf/", import.meta.url));
const ODD_CLIENT = join(BPF, "build/odd-client");
const PORT = 8080;
const SLOW_PORT = 8081;
const PATTERN_PORT = 8082;
const CONFIG = { acceleration: "sockmap", releaseSeconds: 0 } as const;
const MIB = 1 << 20;

async function serve(pod: BoxPod, port: number, readAfterMs = 0, mode = "serve"): Promise<PodProgram> {
  const server = new PodProgram(pod, process.execPath, EXCHANGE, mode, String(port), String(readAfterMs));
  await server.line(/^listening/);
  return server;
}

interface Call {
  readonly port?: number;
  readonly connections: number;
  readonly atOnce: number;
  readonly mostBytes: number;
}

async function dial(pod: BoxPod, address: string, { port = PORT, connections, atOnce, mostBytes }: Call) {
  const numbers = [port, connections, atOnce, mostBytes].map(String);
  await using client = new PodProgram(pod, process.execPath, EXCHANGE, "call", address, ...numbers);
  return JSON.parse(await client.line(/^\{/, 60_000)) as { ok: number; bytes: number; failed: string[] };
}

describe("acceleration by sockmap", () => {
  let box: NodeBox;
  let client: BoxPod;
  let server: BoxPod;
  let proxyPod: BoxPod;
  let proxy: PodProgram;
  let exchange: PodProgram;
  let slow: PodProgram;
  let agent: Agent;

  beforeAll(async () => {
    execFileSync("make", ["-s", "-C", BPF, "test-programs"]);
    box = await NodeBox.create();
    client = box.addPod("client");
    server = box.addPod("server");
    proxyPod = box.addPod("proxy");
    exchange = await serve(server, PORT);
    slow = await serve(server, SLOW_PORT, 700);
    proxy = await startProxy(box, proxyPod);
    agent = await Agent.open(box, { config: CONFIG });
    await agent.useNode({ addresses: ["198.18.1.1", "fe80::1"] });
    await agent.useProxies({ active: proxyOf(proxyPod), draining: [] });
  });
  afterAll(async () => {
    await agent?.uninstall();
    await agent?.[Symbol.asyncDispose]();
    await proxy?.[Symbol.asyncDispose]();
    await exchange?.[Symbol.asyncDispose]();
    await slow?.[Symbol.asyncDispose]();
    box[Symbol.dispose]();
  });

  const counters = async () => (await agent.observe()).counters;
  /** With the server's end of each: what was redirected can lie there when the client has long gone. */
  async function call(pod: BoxPod, address: string, asked: Call) {
    const { lines } = asked.port === SLOW_PORT ? slow : exchange;
    const before = lines.length;
    const result = await dial(pod, address, asked);
    await expect.poll(() => lines.length - before, { timeout: 30_000 }).toBe(asked.connections);
    return result;
  }
  /** What has been counted meanwhile, and what the work returned. */
  async function counting<T>(work: () => Promise<T>) {
    const before = await counters();
    const result = await work();
    const after = await counters();
    const more = (name: string) => (after[name] ?? Number.NaN) - (before[name] ?? Number.NaN);
    return { result, more };
  }
  const broken = () => [...exchange.lines, ...slow.lines].filter((line) => !/^(listening|ok \d+)$/.test(line));

  describe.each(["ipv4", "ipv6"] as const)("over %s", (family) => {
    it.each([
      ["outbound", "client"],
      ["inbound", "server"],
    ])("takes the bytes of an accelerated member from socket to socket, %s", async (_, member) => {
      const pod = member === "client" ? client : server;
      await agent.apply(workloadOf(pod, { acceleration: true }));
      expect((await agent.observe()).workloads).toMatchObject([{ state: "complete", problems: [] }]);
      const asked = { connections: 24, atOnce: 6, mostBytes: 200_000 };
      const { result, more } = await counting(() => call(client, server[family], asked));
      expect(result).toMatchObject({ ok: 24, failed: [] });
      expect(broken()).toEqual([]);
      expect(more("leg_opened.opened")).toBeGreaterThanOrEqual(2 * 24);
      // What the client got went over that leg, in both of its halves' tests.
      expect(more("leg_sends.redirected_bytes")).toBeGreaterThan(result.bytes);
      expect(more("leg_opened.not_opened")).toBe(0);
      await agent.remove(`uid-${pod.name}`);
    });

    it("leaves a member alone that does not ask for it", async () => {
      await agent.apply(workloadOf(client));
      const asked = { connections: 4, atOnce: 2, mostBytes: 50_000 };
      const { result, more } = await counting(() => call(client, server[family], asked));
      expect(result).toMatchObject({ ok: 4, failed: [] });
      expect(more("leg_opened.opened")).toBe(0);
      expect(more("leg_sends.redirected")).toBe(0);
      await agent.remove("uid-client");
    });

    it("keeps every byte in its place while sockets come to be accelerated and cease to", async () => {
      await agent.apply(workloadOf(client));
      const asked = { connections: 60, atOnce: 6, mostBytes: 300_000 };
      const { result, more } = await counting(async () => {
        const calling = Promise.all([
          call(client, server[family], asked),
          // Bytes wait there by TCP: what was redirected after them would come out first.
          call(client, server[family], { port: SLOW_PORT, connections: 8, atOnce: 8, mostBytes: 12 * MIB }),
        ]);
        let isOver = false;
        calling.finally(() => {
          isOver = true;
        });
        for (let n = 0; !isOver; n++) {
          await agent.apply(workloadOf(client, n % 2 === 0 ? { acceleration: true } : {}));
          await new Promise((resolve) => setTimeout(resolve, Math.random() * 60));
        }
        return await calling;
      });
      expect(result).toMatchObject([
        { ok: 60, failed: [] },
        { ok: 8, failed: [] },
      ]);
      expect(broken()).toEqual([]);
      expect(more("leg_sends.redirected")).toBeGreaterThan(0);
      await agent.remove("uid-client");
    });

    it("keeps for a receiver that reads late all that was sent", async () => {
      await agent.apply(workloadOf(client, { acceleration: true }));
      const asked = { port: SLOW_PORT, connections: 2, atOnce: 2, mostBytes: 8 * MIB };
      const { result } = await counting(() => call(client, server[family], asked));
      expect(result).toMatchObject({ ok: 2, failed: [] });
      expect(broken()).toEqual([]);
      await agent.remove("uid-client");
    });
  });

  it("never lets a byte overtake those of a send that began before the connection was there", async () => {
    const bytes = 6_000_000;
    await using pattern = await serve(server, PATTERN_PORT, 700, "pattern");
    await agent.apply(workloadOf(client, { acceleration: true }));
    // Nothing answers its first SYN, so that send() is called before there is a connection.
    await agent.useProxies({ draining: [] });
    const { more } = await counting(async () => {
      await using early = new PodProgram(client, ODD_CLIENT, "early", server.ipv4, String(PATTERN_PORT), String(bytes));
      await early.line(/^sending/);
      await agent.useProxies({ active: proxyOf(proxyPod), draining: [] });
      await early.line(/^sent/, 30_000);
      expect(await pattern.line(/ \d+$/, 30_000)).toBe(`ok ${bytes}`);
    });
    expect(more("leg_opened.tcp_before")).toBe(1);
    expect(more("leg_opened.opened")).toBeGreaterThan(0);
    await agent.remove("uid-client");
  });

  it("goes on with its connections while no agent runs, and the next one adopts it", async () => {
    await agent.apply(workloadOf(client, { acceleration: true }));
    const asked = { connections: 30, atOnce: 3, mostBytes: 200_000 };
    const before = await counters();
    const calling = call(client, server.ipv4, asked);
    await agent[Symbol.asyncDispose]();
    expect(await calling).toMatchObject({ ok: 30, failed: [] });
    agent = await Agent.open(box, { config: CONFIG });
    const after = await counters();
    expect(after["leg_sends.redirected"]).toBeGreaterThan(before["leg_sends.redirected"] ?? 0);
    const { more } = await counting(() => call(client, server.ipv6, { connections: 3, atOnce: 1, mostBytes: 9_000 }));
    expect(more("leg_sends.redirected")).toBeGreaterThan(0);
    await agent.remove("uid-client");
    expect(broken()).toEqual([]);
  });

  it("finds and mends what somebody took away", async () => {
    await agent.apply(workloadOf(client, { acceleration: true }));
    box.inside("rm", join(box.bpffs, "millrace/v1/acceleration/links/leg_opened"));
    expect((await agent.observe()).problems).toEqual([expect.stringMatching(/^leg_opened is not attached to \//)]);
    await agent.useProxies({ active: proxyOf(proxyPod), draining: [] });
    expect((await agent.observe()).problems).toEqual([]);
    const { more } = await counting(() => call(client, server.ipv4, { connections: 3, atOnce: 1, mostBytes: 9_000 }));
    expect(more("leg_sends.redirected")).toBeGreaterThan(0);
    await agent.remove("uid-client");
  });

  it("refuses kTLS on its sockets, as a kernel without it does, and on no others", async () => {
    const ask = async () => {
      await using asking = new PodProgram(client, ODD_CLIENT, "ktls", server.ipv4, String(PORT));
      return await asking.line(/./);
    };
    const { result: alone } = await counting(ask);
    await agent.apply(workloadOf(client, { acceleration: true }));
    const { result, more } = await counting(ask);
    expect(result).toBe("ENOENT");
    expect(more("leg_option.refused_ktls")).toBe(1);
    // A kernel without the module says the same.
    expect(alone).toMatch(/^(taken|ENOENT)$/);
    await agent.remove("uid-client");
  });

  it("breaks off what the proxy had when it is killed, and nothing else becomes of it", async () => {
    await agent.apply(workloadOf(client, { acceleration: true }));
    const calling = dial(client, server.ipv4, { connections: 4, atOnce: 4, mostBytes: 60_000_000 });
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    await proxy[Symbol.asyncDispose]();
    const { failed } = await calling;
    // Whole streams, or streams that are told to be broken; a stream of other bytes has another digest.
    for (const line of failed) expect(line).toMatch(/^(broken|closed|short) after|^refused/);
    proxy = await startProxy(box, proxyPod);
    const { result, more } = await counting(() =>
      call(client, server.ipv4, { connections: 3, atOnce: 1, mostBytes: 9_000 }),
    );
    expect(result.ok).toBe(3);
    expect(more("leg_sends.redirected")).toBeGreaterThan(0);
    await agent.remove("uid-client");
  });
});

describe("acceleration that is off", () => {
  it("is not there, and what an earlier run had of it goes", async () => {
    using box = await NodeBox.create();
    const place = join(box.bpffs, "millrace/v1");
    const held = () => box.inside("ls", place).split("\n");
    {
      await using agent = await Agent.open(box, { config: CONFIG });
      expect(held()).toContain("acceleration");
      expect((await agent.observe()).problems).toEqual([]);
    }
    await using agent = await Agent.open(box);
    expect(held()).not.toContain("acceleration");
    expect(Object.keys((await agent.observe()).counters).filter((name) => name.startsWith("leg_"))).toEqual([]);
    await agent.uninstall();
  });
});
