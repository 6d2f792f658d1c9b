import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Agent } from "../agent/agent.ts";
import { FAMILIES } from "../lab/addresses.ts";
import { fillBuiltInChains } from "../lab/built-in-chains.ts";
import { Lab } from "../lab/lab.ts";
import type { LabHost } from "../lab/lab-host.ts";
import { Haproxy } from "../programs/haproxy.ts";
import { within } from "../slow.ts";
import { compareSnapshots, type Snapshot, snapshot } from "../snapshot/snapshot.ts";
import { countEscapes } from "../suite/escapes.ts";

const PORT = 8080;
const RATE = 50;
const SECONDS = 8;
const MEMBERS = ["m1", "m2"];
/** How a connection ends that somebody ended, in the words of the load client. */
const ENDED = ["EOF", "ECONNRESET"];

let lab: Lab;
let proxy: Haproxy;
let before: Snapshot;
let agent: Agent;

beforeAll(async () => {
  lab = await Lab.create({ prefix: "bx", nodes: [{ pods: MEMBERS, proxies: ["z1"] }], externals: ["world"] });
  const node = lab.node(1);
  for (const server of [...MEMBERS.map((name) => lab.pod(name)), lab.external("world")]) {
    await (await server.endpoint()).listen(PORT);
  }
  proxy = await Haproxy.start(lab.pod("z1"), { directory: join(node.paths.root, "proxy") });
  await fillBuiltInChains([node.namespace, lab.pod("z1").namespace], "nft");
  before = await snapshot(node);
  node.applyNamespace("demo", { "istio.io/dataplane-mode": "ambient" });
  node.applyNamespace("istio-system");
  for (const pod of node.pods) node.applyPod(pod);
  agent = await Agent.start(node, { redirectMode: "ebpf" });
  await untilServing("ebpf");
});
afterAll(() => lab[Symbol.asyncDispose]());

async function untilServing(backend: string): Promise<void> {
  await agent.until(
    `redirection by ${backend} only`,
    (status) =>
      status.agent.backend === backend &&
      (status.earlier as readonly unknown[]).length === 0 &&
      (status.switch as { state: string } | undefined)?.state !== "under way",
    within(60_000),
  );
  await agent.untilActive(lab.pod("z1"));
  await agent.untilEnrolled(...MEMBERS.map((name) => lab.pod(name)));
}

/** One connection each way and family: the proxy takes each once. */
async function expectCapturedOnce(): Promise<void> {
  const ways: [LabHost, LabHost][] = [
    [lab.pod("m1"), lab.external("world")],
    [lab.external("world"), lab.pod("m1")],
    [lab.pod("m1"), lab.pod("m2")],
  ];
  for (const [from, to] of ways) {
    for (const family of FAMILIES) {
      const mark = proxy.mark();
      const outcome = await (await from.endpoint()).ask("report", { host: to.address(family), port: PORT });
      expect(outcome).toMatchObject({ ok: true, value: { peer: from.address(family) } });
      await proxy.awaitRecords({ source: from.address(family), destination: to.address(family) }, mark);
      expect(proxy.since(mark).length).toBe(1);
    }
  }
}

const changes = [
  ["ebpf", "iptables"],
  ["iptables", "ebpf"],
] as const;

test.each(changes)(
  "the mode is changed from %s to %s while no agent runs: captured at every moment, by one in the end",
  async (from, to) => {
    expect((await agent.status()).agent.backend).toBe(from);
    const world = lab.external("world");
    const member = lab.pod("m1");
    // Not told by source ports: where conntrack still has a connection of the other backend, it gives the proxy's another port.
    await using escapes = await countEscapes(lab.node(1), member);
    const mark = proxy.mark();
    const outbound = FAMILIES.map((family) => ({ host: world.address(family), port: PORT }));
    const inbound = FAMILIES.map((family) => ({ host: member.address(family), port: PORT }));
    const client = await member.endpoint();
    const streams = await client.ask("startStreams", { targets: outbound, intervalMs: 20 });
    const loads = Promise.all([
      client.ask("load", { targets: outbound, rate: RATE, seconds: SECONDS, timeoutMs: 5_000 }),
      (await world.endpoint()).ask("load", { targets: inbound, rate: RATE, seconds: SECONDS, timeoutMs: 5_000 }),
    ]);
    await agent.kill();
    agent = await Agent.start(lab.node(1), { redirectMode: to });
    await untilServing(to);
    const results = await loads;
    const kept = await client.ask("stopStreams", streams);
    // What is open may end when the former redirection goes: at once, never by a time-out. What begins always succeeds.
    const failures = results.flatMap((result) => result.failures);
    expect(failures.filter(({ connected, failure }) => !connected || !ENDED.includes(failure))).toEqual([]);
    expect(await escapes.count(), "connections that left the node past the proxy").toBe(0);
    const made = results.reduce((sum, { attempts }) => sum + attempts, 0);
    await expect
      .poll(() => proxy.since(mark).length, { message: "connections that the proxy took" })
      .toBeGreaterThanOrEqual(made);
    // None twice. Of a stream that ended at one side only the proxy tells later.
    expect(proxy.since(mark).length).toBeLessThanOrEqual(made + outbound.length);
    for (const { failure } of kept) expect([undefined, ...ENDED]).toContain(failure);
    await expectCapturedOnce();
    const { status, stdout } = await agent.millrace("status");
    expect(status, stdout).toBe(0);
  },
);

test("nothing of either is left after an uninstall", async () => {
  await agent.stop();
  const { status, stdout, stderr } = await agent.millrace("uninstall", "--purge", "--verify");
  expect(status, stdout + stderr).toBe(0);
  expect(compareSnapshots(before, await snapshot(lab.node(1)))).toEqual([]);
});
