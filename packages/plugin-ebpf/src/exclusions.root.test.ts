import type { Exclusions } from "@millrace/core";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { Agent } from "./testing/agent.ts";
import { type BoxPod, NodeBox, proxyOf, workloadOf } from "./testing/node-box.ts";
import { connect, type PodProgram, startEcho, startProxy } from "./testing/traffic.ts";

const PORT = 8080;
const OTHER_PORT = 8081;

let box: NodeBox;
let member: BoxPod;
let plain: BoxPod;
let proxyPod: BoxPod;
let proxy: PodProgram;
let agent: Agent;
const servers: PodProgram[] = [];

beforeAll(async () => {
  box = await NodeBox.create();
  [member, plain, proxyPod] = [box.addPod("member"), box.addPod("plain"), box.addPod("proxy")];
  for (const pod of [member, plain]) {
    for (const port of [PORT, OTHER_PORT]) servers.push(await startEcho(pod, port));
  }
  proxy = await startProxy(box, proxyPod);
  agent = await open();
  await agent.useNode({ addresses: ["198.18.1.1", "fe80::1"] });
  await agent.useProxies({ active: proxyOf(proxyPod), draining: [] });
});
afterEach(() => agent.remove("uid-member"));
afterAll(async () => {
  await agent?.uninstall();
  await agent?.[Symbol.asyncDispose]();
  for (const program of [proxy, ...servers]) await program?.[Symbol.asyncDispose]();
  box?.[Symbol.dispose]();
});

const open = () => Agent.open(box, { config: { attach: "clsact", releaseSeconds: 0, maxExclusions: 8 } });
const NONE: Exclusions = { outboundPorts: [], outboundCidrs: [], inboundPorts: [], inboundCidrs: [] };
const excluding = (some: Partial<Exclusions>) => workloadOf(member, { exclusions: { ...NONE, ...some } });
const plainText = (text: string) => text.replaceAll("::ffff:", "");

/** Whether a connection, which has to come about, goes through the proxy: as its programs counted. */
async function goesByProxy(from: BoxPod, to: string, port: number): Promise<boolean> {
  const captured = async () => {
    const { counters } = await agent.observe();
    return (counters["app_outbound.captured"] ?? 0) + (counters["app_inbound.captured"] ?? 0);
  };
  const before = await captured();
  expect(plainText(await connect(from, to, port))).toBe(`<${to.includes(":") ? from.ipv6 : from.ipv4}>`);
  return (await captured()) > before;
}

describe.each(["ipv4", "ipv6"] as const)("over %s", (family) => {
  const network = () => (family === "ipv4" ? `${plain.ipv4}/32` : `${plain.ipv6}/128`);

  it("what is excluded goes past the proxy, and everything else through it", async () => {
    await agent.apply(excluding({ outboundPorts: [PORT] }));
    expect(await goesByProxy(member, plain[family], PORT)).toBe(false);
    await agent.apply(excluding({ inboundPorts: [PORT] }));
    expect(await goesByProxy(member, plain[family], PORT)).toBe(true);
    expect(await goesByProxy(plain, member[family], PORT)).toBe(false);
    expect(await goesByProxy(plain, member[family], OTHER_PORT)).toBe(true);
    await agent.apply(excluding({ inboundCidrs: [network()] }));
    expect(await goesByProxy(plain, member[family], OTHER_PORT)).toBe(false);
    await agent.apply(excluding({}));
    expect(await goesByProxy(plain, member[family], PORT)).toBe(true);
  });

  it("also while there is no proxy", async () => {
    await agent.apply(excluding({ outboundCidrs: [network()] }));
    await agent.useProxies({ draining: [] });
    expect(plainText(await connect(member, plain[family], PORT))).toBe(`<${member[family]}>`);
    await agent.useProxies({ active: proxyOf(proxyPod), draining: [] });
  });
});

it("outlives the agent, and is complete for the next one", async () => {
  const workload = excluding({ outboundPorts: [PORT], inboundCidrs: ["198.18.0.0/15", "2001:2::/48"] });
  await agent.apply(workload);
  await agent[Symbol.asyncDispose]();
  expect(plainText(await connect(member, plain.ipv4, PORT))).toBe(`<${member.ipv4}>`);
  agent = await open();
  expect(await goesByProxy(member, plain.ipv4, PORT)).toBe(false);
  await agent.apply(workload);
  expect((await agent.observe()).workloads).toMatchObject([{ state: "complete", problems: [] }]);
  expect(await goesByProxy(plain, member.ipv6, PORT)).toBe(false);
});

it("is found missing and mended", async () => {
  const workload = excluding({ outboundPorts: [PORT], outboundCidrs: ["198.18.7.0/24"] });
  await agent.apply(workload);
  const map = (name: string) => `${box.bpffs}/millrace/v1/maps/${name}`;
  const [{ key }] = JSON.parse(box.inside("bpftool", "--json", "map", "dump", "pinned", map("excluded_ports")));
  box.inside("bpftool", "map", "delete", "pinned", map("excluded_ports"), "key", "hex", ...hex(key));
  expect((await agent.observe()).workloads).toMatchObject([
    { state: "partial", problems: [`exclusion of outbound port ${PORT} is missing`] },
  ]);
  await agent.apply(workload);
  expect((await agent.observe()).workloads).toMatchObject([{ state: "complete" }]);
});

it("excludes less where the map has no room, and captures all the more", async () => {
  const ports = Array.from({ length: 9 }, (_, index) => PORT + index);
  await expect(agent.apply(excluding({ outboundPorts: ports }))).rejects.toMatchObject({
    code: "ERR_MAP_FULL",
    message: expect.stringContaining("maxExclusions"),
  });
  const observed = (await agent.observe()).workloads;
  expect(observed).toMatchObject([{ uid: "uid-member", state: "partial" }]);
  expect(observed[0]?.problems).toEqual([`exclusion of outbound port ${PORT + 8} is missing`]);
  expect(await goesByProxy(member, plain.ipv4, OTHER_PORT)).toBe(false);
  const networks = Array.from({ length: 9 }, (_, index) => `198.18.${100 + index}.0/24`);
  await expect(agent.apply(excluding({ outboundCidrs: networks }))).rejects.toMatchObject({ code: "ERR_MAP_FULL" });
});

it("leaves nothing of a workload that goes", async () => {
  await agent.apply(excluding({ outboundPorts: [PORT], inboundCidrs: ["2001:2::/48"] }));
  await connect(member, plain.ipv4, PORT);
  const entries = () =>
    ["excluded_ports", "excluded_networks", "excluded"].map(
      (name) =>
        JSON.parse(box.inside("bpftool", "--json", "map", "dump", "pinned", `${box.bpffs}/millrace/v1/maps/${name}`))
          .length,
    );
  expect(entries()).toEqual([1, 1, 1]);
  await agent.remove("uid-member");
  expect(entries()).toEqual([0, 0, 0]);
});

function hex(key: readonly string[] | object): string[] {
  const bytes = Array.isArray(key) ? key : [];
  return bytes.map((byte: string) => byte.replace("0x", ""));
}
