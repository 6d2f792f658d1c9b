import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Agent } from "../testing/agent.ts";
import { type BoxPod, NodeBox, proxyOf, workloadOf } from "../testing/node-box.ts";
import { PodProgram, startProxy } from "../testing/traffic.ts";

const EXCHANGE = fileURLToPath(new URL("../testing/exchange.ts", import.meta.url));
const PORT = 8080;
const SLOW_PORT = 8081;
const CONFIG = { acceleration: "sockmap", releaseSeconds: 0 } as const;
/** ROOM in bpf/include/acceleration.h. */
const ROOM = 4 << 20;

async function serve(pod: BoxPod, port: number, readAfterMs = 0): Promise<PodProgram> {
  const server = new PodProgram(pod, process.execPath, EXCHANGE, "serve", String(port), String(readAfterMs));
  await server.line(/^listening/);
  return server;
}

interface Call {
  readonly port?: number;
  readonly connections: number;
  readonly atOnce: number;
  readonly mostBytes: number;
}

async function call(pod: BoxPod, address: string, { port = PORT, connections, atOnce, mostBytes }: Call) {
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
        const calling = call(client, server[family], asked);
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
      expect(result).toMatchObject({ ok: 60, failed: [] });
      expect(broken()).toEqual([]);
      expect(more("leg_sends.redirected")).toBeGreaterThan(0);
      expect(more("leg_sends.tcp_ended")).toBeGreaterThan(0);
      await agent.remove("uid-client");
    });

    it("lets TCP hold back who sends to somebody that does not read", async () => {
      await agent.apply(workloadOf(client, { acceleration: true }));
      const asked = { port: SLOW_PORT, connections: 2, atOnce: 2, mostBytes: 4 * ROOM };
      const { result, more } = await counting(async () => {
        const done = await call(client, server[family], asked);
        return done;
      });
      expect(result).toMatchObject({ ok: 2, failed: [] });
      expect(broken()).toEqual([]);
      expect(more("leg_sends.redirected_bytes")).toBeLessThanOrEqual(2 * 2 * ROOM);
      await agent.remove("uid-client");
    });
  });
});
