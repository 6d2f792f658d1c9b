import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Agent } from "../agent/agent.ts";
import { FAMILIES } from "../lab/addresses.ts";
import { EscapeCounter } from "../lab/escape-counter.ts";
import { Lab } from "../lab/lab.ts";
import type { LabHost } from "../lab/lab-host.ts";
import { stampProxy } from "../lab/stamp.ts";
import { Haproxy } from "../programs/haproxy.ts";

/** Connection attempts a second, each way, and for how long. */
const RATE = 100;
const SECONDS = 10;
const PORT = 8080;

/** Dials both ways for a while in both families and returns what reached the servers past the proxy. */
async function attempt(lab: Lab, seconds: number, timeoutMs = 1_000) {
  const ways: [LabHost, LabHost][] = [
    [lab.pod("m1"), lab.external("world")],
    [lab.external("world"), lab.pod("m1")],
  ];
  const counters = await Promise.all(ways.map(([from, to]) => EscapeCounter.start(to, from, PORT)));
  const results = await Promise.all(
    ways.map(async ([from, to]) => {
      const targets = FAMILIES.map((family) => ({ host: to.address(family), port: PORT }));
      return (await from.endpoint()).ask("load", { targets, rate: RATE, seconds, timeoutMs });
    }),
  );
  const escaped = await Promise.all(counters.map((counter) => counter.read()));
  await Promise.all(counters.map((counter) => counter.stop()));
  return { results, escaped };
}

describe.each(["cold", "warm"] as const)("with the proxy killed, %s", (temperature) => {
  let lab: Lab;
  let agent: Agent;

  beforeAll(async () => {
    lab = await Lab.create({ prefix: "fc", nodes: [{ pods: ["m1"], proxies: ["z1"] }], externals: ["world"] });
    const [m1, z1, world, node] = [lab.pod("m1"), lab.pod("z1"), lab.external("world"), lab.node(1)];
    await stampProxy(z1);
    for (const server of [m1, world]) await (await server.endpoint()).listen(PORT);
    const proxy = await Haproxy.start(z1, { directory: join(node.paths.root, "proxy") });
    node.applyNamespace("demo", { "istio.io/dataplane-mode": "ambient" });
    node.applyNamespace("istio-system");
    node.applyPod(m1);
    node.applyPod(z1);
    agent = await Agent.start(node, { redirectMode: "ebpf" });
    await agent.untilActive(z1);
    await agent.untilEnrolled(m1);
    if (temperature === "warm") {
      const { results } = await attempt(lab, 0.5, 10_000);
      expect(results.map(({ failures }) => failures)).toEqual([[], []]);
    }
    await proxy.program.kill();
  });

  afterAll(() => lab[Symbol.asyncDispose]());

  test(`no packet of ${2 * RATE * SECONDS} attempts reaches a server, both ways, both families`, async () => {
    const { results, escaped } = await attempt(lab, SECONDS);
    expect(escaped).toEqual([
      { packets: 0, bytes: 0 },
      { packets: 0, bytes: 0 },
    ]);
    expect(results.map(({ attempts, succeeded }) => ({ attempts, succeeded }))).toEqual([
      { attempts: RATE * SECONDS, succeeded: 0 },
      { attempts: RATE * SECONDS, succeeded: 0 },
    ]);
  });

  test("the same counters count when the programs are gone", async () => {
    await agent.stop();
    const { status, stderr } = await agent.millrace("uninstall");
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    const { escaped } = await attempt(lab, 1);
    for (const { packets, bytes } of escaped) {
      expect(packets).toBeGreaterThan(0);
      expect(bytes).toBeGreaterThan(0);
    }
  });
});
