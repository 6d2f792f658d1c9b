import { mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Agent } from "./testing/agent.ts";
import { ask, askTcp, startDns } from "./testing/dns.ts";
import { type BoxPod, NodeBox, proxyOf, workloadOf } from "./testing/node-box.ts";
import { run, runIn } from "./testing/run.ts";
import { snapshot } from "./testing/snapshot.ts";
import type { PodProgram } from "./testing/traffic.ts";

const PORT = 15_053;
/** Answers nobody: a member whose DNS is not captured waits in vain. */
const SHORT = 700;

let box: NodeBox;
let member: BoxPod;
let proxy: BoxPod;
let dns: PodProgram;
let agent: Agent;

beforeEach(async () => {
  box = await NodeBox.create();
  member = box.addPod("member");
  proxy = box.addPod("proxy");
  dns = await startDns(proxy, "proxy", PORT);
  agent = await Agent.open(box, { config: { attach: "clsact", releaseSeconds: 0 } });
  await agent.useNode({ addresses: ["198.18.1.1", "fe80::1"] });
  await agent.useProxies({ active: proxyOf(proxy), draining: [] });
});
afterEach(async () => {
  await agent?.[Symbol.asyncDispose]();
  await dns?.[Symbol.asyncDispose]();
  box?.[Symbol.dispose]();
});

const captured = () => workloadOf(member, { dnsCapture: true });
const counters = async () => (await agent.observe()).counters;

describe.each([
  { family: "ipv4" as const, servers: ["198.18.53.1", "198.18.53.2", "198.18.53.3"] },
  { family: "ipv6" as const, servers: ["2001:2:0:53::1", "2001:2:0:53::2", "2001:2:0:53::3"] },
])("a member's DNS over $family", ({ family, servers }) => {
  const from = (pod: BoxPod, server: string) => `proxy ${server} from ${pod[family]}`;

  it("is answered by the proxy in the name of each server that one socket asks at once", async () => {
    await agent.apply(captured());
    const answers = await ask(member, { servers });
    expect(answers).toEqual(servers.map((server) => `${server}: ${from(member, server)} (100)`));
    expect(await counters()).toMatchObject({ "app_outbound.captured_dns": 3, "ztunnel_host_in.delivered": 3 });
  });

  it("is answered over TCP as well, by the proxy's DNS port", async () => {
    await agent.apply(captured());
    expect(await askTcp(member, servers[0] as string)).toBe(from(member, servers[0] as string));
  });

  it("is answered in fragments where the answer is long", async () => {
    await agent.apply(captured());
    const server = servers[0] as string;
    expect(await ask(member, { servers: [server], bytes: 5_000 })).toEqual([
      `${server}: ${from(member, server)} (5000)`,
    ]);
    expect((await counters())["ztunnel_host_in.delivered"]).toBe(4);
  });

  it("is left alone where it is not to be captured, or goes to the proxy's own address", async () => {
    const other = box.addPod("other");
    await using _other = await startDns(other, "other", 53);
    await using _own = await startDns(proxy, "own", 53);
    await agent.apply(workloadOf(member));
    const answer = `other ${other[family]} from ${member[family]} (100)`;
    expect(await ask(member, { servers: [other[family]] })).toEqual([`${other[family]}: ${answer}`]);
    await agent.apply(captured());
    expect(await ask(member, { servers: [other[family]] })).toEqual([
      `${other[family]}: ${answer.replace("other", "proxy")}`,
    ]);
    expect(await ask(member, { servers: [proxy[family]] })).toEqual([
      `${proxy[family]}: own ${proxy[family]} from ${member[family]} (100)`,
    ]);
    await agent.apply(workloadOf(member));
    expect(await ask(member, { servers: [other[family]] })).toEqual([`${other[family]}: ${answer}`]);
  });

  it("does not disturb a member that serves DNS, also to a client that asks from port 53", async () => {
    const client = box.addPod("client");
    await using _served = await startDns(member, "member", 53);
    await agent.apply(captured());
    for (const localPort of [0, 53]) {
      expect(await ask(client, { servers: [member[family]], localPort })).toEqual([
        `${member[family]}: member ${member[family]} from ${client[family]} (100)`,
      ]);
    }
    expect((await counters())["app_outbound.captured_dns"]).toBe(0);
  });

  it("is dropped and counted without a proxy, and answered again with one", async () => {
    await agent.apply(captured());
    await agent.useProxies({ draining: [] });
    expect(await ask(member, { servers, timeoutMs: SHORT })).toEqual(servers.map((server) => `${server}: -`));
    expect((await counters())["app_outbound.dropped_no_proxy"]).toBe(3);
    await agent.useProxies({ active: proxyOf(proxy), draining: [] });
    expect(await ask(member, { servers })).toEqual(servers.map((server) => `${server}: ${from(member, server)} (100)`));
  });
});

it("is answered in the name of a server on the node itself", async () => {
  runIn(box.netns, "ip", "addr", "add", "169.254.20.10/32", "dev", "lo");
  await agent.useNode({ addresses: ["198.18.1.1", "169.254.20.10", "fe80::1"] });
  await agent.apply(captured());
  expect(await ask(member, { servers: ["169.254.20.10"] })).toEqual([
    `169.254.20.10: proxy 169.254.20.10 from ${member.ipv4} (100)`,
  ]);
});

it("goes on while no agent runs, after the next has come, and with the next proxy", async () => {
  const asked = { servers: ["198.18.53.1", "198.18.53.2"] };
  const answers = asked.servers.map((server) => `${server}: proxy ${server} from ${member.ipv4} (100)`);
  await agent.apply(captured());
  await agent[Symbol.asyncDispose]();
  expect(await ask(member, asked)).toEqual(answers);
  agent = await Agent.open(box, { config: { attach: "clsact", releaseSeconds: 0 } });
  expect(await ask(member, asked)).toEqual(answers);
  const next = box.addPod("next");
  await using _next = await startDns(next, "next", PORT);
  await agent.useProxies({ active: proxyOf(next), draining: [proxyOf(proxy)] });
  expect(await ask(member, asked)).toEqual(answers.map((answer) => answer.replace("proxy", "next")));
  await agent.useProxies({ active: proxyOf(next), draining: [] });
  expect(runIn(proxy.netns, "nft", "list", "ruleset")).toBe("");
});

it("leaves redirected TCP out of conntrack in the proxy's namespace, and DNS in", async () => {
  await agent.apply(captured());
  await ask(member, { servers: ["198.18.53.1"] });
  await askTcp(member, "2001:2:0:53::1");
  const ruleset = runIn(proxy.netns, "nft", "list", "ruleset");
  expect(ruleset.match(/notrack/g)).toHaveLength(2);
  expect(ruleset.match(/redirect to :15053/g)).toHaveLength(2);
});

it.each([
  ["missing", ["flush", "ruleset"], "DNS rules are missing"],
  ["changed", ["flush", "chain", "inet", "millrace_dns", "questions"], "DNS rules differ from what was written"],
])("finds rules that are %s, and mends them", async (_, command, problem) => {
  await agent.apply(captured());
  runIn(proxy.netns, "nft", ...command);
  expect(await ask(member, { servers: ["198.18.53.1"], timeoutMs: SHORT })).toEqual(["198.18.53.1: -"]);
  expect(await askTcp(member, "198.18.53.1", SHORT)).toBe("-");
  expect((await agent.observe()).proxies).toMatchObject([{ state: "partial", problems: [problem] }]);
  await agent.useProxies({ active: proxyOf(proxy), draining: [] });
  expect((await agent.observe()).proxies).toMatchObject([{ state: "complete", problems: [] }]);
  expect(await ask(member, { servers: ["198.18.53.1"] })).toEqual([
    `198.18.53.1: proxy 198.18.53.1 from ${member.ipv4} (100)`,
  ]);
});

it("is put right, or removed, where a crash came between the rules and the note of them", async () => {
  await agent.apply(captured());
  const note = `${box.bpffs}/millrace/v1/proxies/0/dns`;
  box.inside("ln", "-sfn", "unfinished", note);
  expect((await agent.observe()).proxies).toMatchObject([{ problems: ["DNS rules differ from what was written"] }]);
  await agent.useProxies({ active: proxyOf(proxy), draining: [] });
  expect((await agent.observe()).proxies).toMatchObject([{ state: "complete", problems: [] }]);
  box.inside("ln", "-sfn", "unfinished", note);
  await agent.uninstall();
  expect(runIn(proxy.netns, "nft", "list", "ruleset")).toBe("");
});

it("is dropped where nft is not installed, which apply and probe say; TCP is captured all the same", async () => {
  await agent.uninstall();
  await agent[Symbol.asyncDispose]();
  const bin = mkdtempSync(join(tmpdir(), "millrace-no-nft-"));
  try {
    symlinkSync(run("sh", "-c", "command -v nsenter").trim(), join(bin, "nsenter"));
    agent = await Agent.open(box, { config: { attach: "clsact" }, wrap: ["/usr/bin/env", `PATH=${bin}`] });
    const features = (await agent.probe()).features.filter(({ name }) => name === "netfilter.nft");
    expect(features).toMatchObject([
      { available: false, required: false, detail: expect.stringContaining("nftables") },
    ]);
    await agent.useProxies({ active: proxyOf(proxy), draining: [] });
    await expect(agent.apply(captured())).rejects.toMatchObject({ code: "ERR_NFT_MISSING" });
    expect(await ask(member, { servers: ["198.18.53.1"], timeoutMs: SHORT })).toEqual(["198.18.53.1: -"]);
    expect(await counters()).toMatchObject({ "app_outbound.dropped_no_listener": 1 });
    expect((await agent.observe()).workloads).toMatchObject([{ uid: "uid-member", state: "complete" }]);
    await agent.uninstall();
  } finally {
    rmSync(bin, { recursive: true });
  }
});

it("leaves nothing behind", async () => {
  await agent.uninstall();
  await agent[Symbol.asyncDispose]();
  const clean = snapshot(box);
  agent = await Agent.open(box, { config: { attach: "clsact", releaseSeconds: 0 } });
  await agent.useProxies({ active: proxyOf(proxy), draining: [] });
  await agent.apply(captured());
  await agent.remove("uid-member");
  await agent.uninstall();
  expect(snapshot(box)).toEqual(clean);
});
