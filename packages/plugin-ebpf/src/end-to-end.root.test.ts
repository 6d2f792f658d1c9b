import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Agent } from "./testing/agent.ts";
import { type BoxPod, NodeBox, proxyOf, workloadOf } from "./testing/node-box.ts";
import { connect, type PodProgram, startEcho, startProxy } from "./testing/traffic.ts";

const PORT = 8080;

describe.each(["tcx", "clsact"] as const)("traffic, attached by %s", (attach) => {
  let box: NodeBox;
  let client: BoxPod;
  let server: BoxPod;
  let proxyPod: BoxPod;
  let proxy: PodProgram;
  let echo: PodProgram;
  let agent: Agent;

  beforeAll(async () => {
    box = await NodeBox.create();
    client = box.addPod("client");
    server = box.addPod("server");
    proxyPod = box.addPod("proxy");
    echo = await startEcho(server, PORT);
    proxy = await startProxy(box, proxyPod);
    agent = await Agent.open(box, { config: { attach, releaseSeconds: 0 } });
    await agent.useNode({ addresses: ["198.18.1.1", "fe80::1"] });
    await agent.useProxies({ active: proxyOf(proxyPod), draining: [] });
  });
  afterAll(async () => {
    await agent?.uninstall();
    await agent?.[Symbol.asyncDispose]();
    await proxy?.[Symbol.asyncDispose]();
    await echo?.[Symbol.asyncDispose]();
    box[Symbol.dispose]();
  });

  const plain = (text: string) => text.replaceAll("::ffff:", "");
  const records = () => proxy.lines.map(plain).filter((line) => line.includes(`:${PORT}`));

  describe.each(["ipv4", "ipv6"] as const)("over %s", (family) => {
    it("does not touch pods that are no members", async () => {
      const before = records().length;
      expect(plain(await connect(client, server[family], PORT))).toBe(`<${client[family]}>`);
      expect(records().length).toBe(before);
    });

    it("takes a member's connection out through the proxy, both addresses intact", async () => {
      await agent.apply(workloadOf(client));
      const before = records().length;
      expect(plain(await connect(client, server[family], PORT))).toBe(`<${client[family]}>`);
      await expect
        .poll(() => records().slice(before))
        .toEqual([`outbound src=${client[family]} dst=${server[family]}:${PORT}`]);
      await agent.remove("uid-client");
    });

    it("takes a connection to a member in through the proxy, both addresses intact", async () => {
      await agent.apply(workloadOf(server));
      const before = records().length;
      expect(plain(await connect(client, server[family], PORT))).toBe(`<${client[family]}>`);
      await expect
        .poll(() => records().slice(before))
        .toEqual([`inbound src=${client[family]} dst=${server[family]}:${PORT}`]);
      await agent.remove("uid-server");
    });

    it("takes a connection between members through the proxy once", async () => {
      await agent.apply(workloadOf(client));
      await agent.apply(workloadOf(server));
      const before = records().length;
      expect(plain(await connect(client, server[family], PORT))).toBe(`<${client[family]}>`);
      await expect
        .poll(() => records().slice(before))
        .toEqual([`outbound src=${client[family]} dst=${server[family]}:${PORT}`]);
      await agent.remove("uid-client");
      await agent.remove("uid-server");
    });

    it("lets the proxy's own ports be", async () => {
      await agent.apply(workloadOf(client));
      expect(await connect(client, proxyPod[family], 15_021)).toMatch(/^(<>|ECONNRESET)$/);
      await agent.remove("uid-client");
    });

    it("fails closed without a proxy, and works again with one", async () => {
      await agent.apply(workloadOf(client));
      await agent.useProxies({ draining: [] });
      expect(await connect(client, server[family], PORT, 700)).toBe("ETIMEDOUT");
      await agent.useProxies({ active: proxyOf(proxyPod), draining: [] });
      expect(plain(await connect(client, server[family], PORT))).toBe(`<${client[family]}>`);
      await agent.remove("uid-client");
    });
  });

  it("captures on while no agent runs, and after the next one has adopted it", async () => {
    await agent.apply(workloadOf(client));
    await agent[Symbol.asyncDispose]();
    const before = records().length;
    expect(plain(await connect(client, server.ipv4, PORT))).toBe(`<${client.ipv4}>`);
    await expect.poll(() => records().length).toBe(before + 1);
    agent = await Agent.open(box, { config: { attach, releaseSeconds: 0 } });
    expect(plain(await connect(client, server.ipv4, PORT))).toBe(`<${client.ipv4}>`);
    await expect.poll(() => records().length).toBe(before + 2);
    expect((await agent.observe()).counters["app_outbound.captured"]).toBeGreaterThan(0);
    await agent.remove("uid-client");
  });
});

it("lets members' connections pass without a proxy when the node says so", async () => {
  using box = await NodeBox.create();
  const client = box.addPod("client");
  const server = box.addPod("server");
  await using _echo = await startEcho(server, PORT);
  await using agent = await Agent.open(box, { policy: { failurePolicy: "open" }, config: { releaseSeconds: 0 } });
  await agent.apply(workloadOf(client));
  expect(await connect(client, server.ipv6, PORT)).toBe(`<${client.ipv6}>`);
  expect((await agent.observe()).counters["app_outbound.open"]).toBeGreaterThan(0);
  await agent.uninstall();
});
