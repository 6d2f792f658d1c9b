import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { queryTcx } from "libbpf-ts";
import { link, openNetns } from "linux-ts";
import { afterAll, beforeAll, expect, onTestFailed, test } from "vitest";
import { Agent } from "../agent/agent.ts";
import { FAMILIES } from "../lab/addresses.ts";
import { EscapeCounter } from "../lab/escape-counter.ts";
import { Lab, proxyPod } from "../lab/lab.ts";
import type { LabHost } from "../lab/lab-host.ts";
import type { LabNode } from "../lab/lab-node.ts";
import type { LabPod } from "../lab/lab-pod.ts";
import { stampProxy } from "../lab/stamp.ts";
import type { Output } from "../programs/endpoint/protocol.ts";
import { Haproxy } from "../programs/haproxy.ts";
import { Evidence } from "./evidence.ts";

const PORT = 8080;
const RATE = 100;
/** Servers outside, so that the load does not run out of ports to one of them. */
const WORLDS = ["world1", "world2"];

/** Small generator with a seed (mulberry32), so that a failing run can be repeated: MILLRACE_SEED=… */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const seed = Number(process.env.MILLRACE_SEED ?? Date.now() % 1_000_000);
const random = randomFrom(seed);

let lab: Lab;
let node: LabNode;
let agent: Agent;
let steady: LabPod;
let moving: LabPod;
let proxies = 1;
let enrolled = true;

/** What is going on at the node when the agent is killed. */
const transitions = {
  nothing: async () => undefined,
  unenrol: async () => {
    node.applyPod(moving, { annotations: { "ambient.istio.io/redirection": "disabled" } });
    enrolled = false;
  },
  enrol: async () => {
    node.applyPod(moving);
    enrolled = true;
  },
  "proxy change": async () => {
    const old = activeProxy;
    activeProxy = await node.addPod(proxyPod({ name: `z${++proxies}` }));
    await stampProxy(activeProxy);
    await Haproxy.start(activeProxy, { directory: join(node.paths.root, activeProxy.name) });
    node.applyPod(activeProxy);
    node.applyPod(old, { ready: false });
    leaving.push(old);
  },
} as const;

let activeProxy: LabPod;
const leaving: LabPod[] = [];

beforeAll(async () => {
  lab = await Lab.create({ prefix: "ak", nodes: [{ pods: ["steady", "moving"], proxies: ["z1"] }], externals: WORLDS });
  node = lab.node(1);
  steady = lab.pod("steady");
  moving = lab.pod("moving");
  activeProxy = lab.pod("z1");
  const worlds = WORLDS.map((name) => lab.external(name));
  await stampProxy(activeProxy);
  for (const server of [steady, moving, ...worlds]) await (await server.endpoint()).listen(PORT);
  await Haproxy.start(activeProxy, { directory: join(node.paths.root, "z1") });
  node.applyNamespace("demo", { "istio.io/dataplane-mode": "ambient" });
  node.applyNamespace("istio-system");
  for (const pod of node.pods) node.applyPod(pod);
  agent = await Agent.start(node, { redirectMode: "ebpf" });
  await agent.untilActive(activeProxy);
  await agent.untilEnrolled(steady, moving);
});

afterAll(() => lab[Symbol.asyncDispose]());

/** What `status` has to say after a restart, and what the kernel then has to show. */
async function untilTrue(): Promise<void> {
  await agent.untilActive(activeProxy);
  await agent.untilEnrolled(steady);
  if (enrolled) await agent.untilEnrolled(moving);
  else await agent.untilLeft(moving);
  using netns = openNetns(node.namespace.path);
  for (const [pod, programs] of [
    [steady, 1],
    [moving, enrolled ? 1 : 0],
  ] as const) {
    const ifindex = link(netns.fd, pod.hostInterface)?.index ?? 0;
    for (const direction of ["ingress", "egress"] as const) {
      const chain = queryTcx({ ifindex, direction, netns: netns.fd }).programs;
      expect(chain, `${pod.hostInterface} ${direction}`).toHaveLength(programs);
    }
  }
  const { status, stdout } = await agent.millrace("status");
  expect(status, stdout).toBe(0);
}

const order = ["unenrol", "enrol", "nothing", "proxy change", "nothing"] as const;
const rounds = Array.from({ length: 10 }, (_, index) => ({
  round: index + 1,
  transition: order[index % order.length] as keyof typeof transitions,
}));

test.each(rounds)(`kill -9, round $round, during $transition (seed ${seed})`, async ({ transition }) => {
  const worlds = WORLDS.map((name) => lab.external(name));
  const clients = [steady, moving, ...worlds.slice(0, 1)];
  const results = new Map<LabHost, Output<"load">>();
  const evidence = await Evidence.begin(agent);
  onTestFailed(async () => {
    const loads = clients.map((client) => ({ name: client.name, result: results.get(client) }));
    console.error(await evidence.describe(agent, [...node.pods, ...worlds, node], loads));
  });

  const places = (hosts: readonly LabHost[]) =>
    hosts.flatMap((host) => FAMILIES.map((family) => ({ host: host.address(family), port: PORT })));
  const counters = await Promise.all(worlds.map((world) => EscapeCounter.start(world, steady)));
  evidence.note("loads begin");
  const loads = clients.map(async (client) => {
    const targets = places(worlds.includes(client) ? [steady, moving] : worlds);
    results.set(client, await (await client.endpoint()).ask("load", { targets, rate: RATE / 2, seconds: 3 }));
  });
  await sleep(300);
  evidence.note(`${transition} begins`);
  await transitions[transition]();
  await sleep(random() * 120);
  evidence.note("agent is killed");
  await agent.kill();
  await sleep(random() * 300);
  evidence.note("agent starts again");
  await agent.restart();
  evidence.note("agent serves its status");
  await untilTrue();
  evidence.note("everything is as it should be");
  await Promise.all(loads);
  for (const [client, result] of results) {
    expect.soft(result.failures, `load of ${client.name}`).toEqual([]);
    expect.soft(result.succeeded, `load of ${client.name}`).toBe(result.attempts);
  }
  const escaped = await Promise.all(counters.map((counter) => counter.read()));
  await Promise.all(counters.map((counter) => counter.stop()));
  expect(escaped.map(({ packets }) => packets)).toEqual(worlds.map(() => 0));
  // The proxy before the last one has had its time: its pod goes, as Kubernetes would have it.
  while (leaving.length > 1) {
    const gone = leaving.shift() as LabPod;
    node.deletePodObject(gone);
    await node.removePod(gone.name);
  }
});
