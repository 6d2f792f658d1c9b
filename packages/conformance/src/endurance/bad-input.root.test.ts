import { writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Agent } from "../agent/agent.ts";
import { FAMILIES } from "../lab/addresses.ts";
import { Lab } from "../lab/lab.ts";
import type { LabNode } from "../lab/lab-node.ts";
import { Haproxy } from "../programs/haproxy.ts";

const PORT = 8080;

let lab: Lab;
let node: LabNode;
let agent: Agent;
let proxy: Haproxy;

/** Room for the addresses of two dual-stack members. */
const MAX_MEMBERS = 4;

beforeAll(async () => {
  lab = await Lab.create({
    prefix: "bi",
    nodes: [{ pods: ["m1", "m2", "extra"], proxies: ["z1"] }],
    externals: ["world"],
  });
  node = lab.node(1);
  await (await lab.external("world").endpoint()).listen(PORT);
  proxy = await Haproxy.start(lab.pod("z1"), { directory: join(node.paths.root, "proxy") });
  node.applyNamespace("demo", { "istio.io/dataplane-mode": "ambient" });
  node.applyNamespace("istio-system");
  for (const name of ["m1", "m2", "z1"]) node.applyPod(lab.pod(name));
  agent = await Agent.start(node, { redirectMode: "ebpf", backends: { ebpf: { maxMembers: MAX_MEMBERS } } });
  await agent.untilActive(lab.pod("z1"));
  await agent.untilEnrolled(lab.pod("m1"), lab.pod("m2"));
});

afterAll(() => lab[Symbol.asyncDispose]());

/** Whatever was asked of it: the agent is up, and both members are still captured in both families. */
async function expectNothingLost(): Promise<void> {
  expect(agent.running).toBe(true);
  for (const name of ["m1", "m2"]) {
    const pod = lab.pod(name);
    for (const family of FAMILIES) {
      const mark = proxy.mark();
      const dial = { host: lab.external("world").address(family), port: PORT };
      const outcome = await (await pod.endpoint()).ask("report", dial);
      expect(outcome).toMatchObject({ ok: true, value: { peer: pod.address(family) } });
      const taken = await proxy.awaitRecords({ frontend: "outbound", source: pod.address(family) }, mark);
      expect(taken).toHaveLength(1);
    }
  }
}

/** Sends bytes to the CNI socket and returns the answer. */
function cni(bytes: string | Buffer): Promise<Record<string, unknown>> {
  return new Promise((resolve, reject) => {
    let answer = "";
    const socket = connect(join(node.paths.sockets, "cni.sock"), () => socket.write(bytes));
    socket.setEncoding("utf8");
    socket.setTimeout(8_000, () => socket.destroy(new Error("no answer within 8 s")));
    socket.on("data", (chunk: string) => {
      answer += chunk;
      if (answer.includes("\n")) socket.destroy();
    });
    // The agent hangs up on a request that is too long while we still send: EPIPE or ECONNRESET after the answer is no failure.
    socket.on("error", (error) => answer === "" && reject(error));
    socket.on("close", () => resolve(JSON.parse(answer) as Record<string, unknown>));
  });
}

const stateOf = async (uid: string) => (await agent.status()).workloads.find((workload) => workload.uid === uid);

test("a manifest that cannot be parsed is named with its line, and what it said before stays", async () => {
  const file = join(node.paths.manifests, "pod-demo-m1.yaml");
  writeFileSync(file, "apiVersion: v1\nkind: Pod\nmetadata:\n  name: [m1\n");
  const line = () => agent.lines.find((text) => text.includes("pod-demo-m1.yaml") && /line|:\d/.test(text));
  await expect.poll(line, { timeout: 10_000 }).toBeDefined();
  await expectNothingLost();
  node.applyPod(lab.pod("m1"));
});

test("a pod without an address waits, and status says for what", async () => {
  const pod = await node.addPod({ name: "bare" });
  node.applyPod(pod, { addresses: [], phase: "Pending" });
  await expect
    .poll(async () => (await stateOf(pod.uid))?.reason ?? "", { timeout: 10_000 })
    .toMatch(/address|interface/);
  await expectNothingLost();
  node.deletePodObject(pod);
});

test("a CNI request that is no JSON is answered with code 6", async () => {
  expect(await cni("hello\n")).toMatchObject({ ok: false, code: 6 });
  await expectNothingLost();
});

test("a CNI request of 10 MB is answered with code 6", async () => {
  expect(await cni(Buffer.alloc(10 * 1024 * 1024, "x"))).toMatchObject({ ok: false, code: 6 });
  await expectNothingLost();
});

test("a network namespace that vanished is answered with code 4", async () => {
  const { uid } = lab.pod("extra");
  const request = {
    version: 1,
    command: "ADD",
    containerId: "f".repeat(64),
    netns: "/run/netns/is-not-there",
    ifName: "eth0",
    pod: { namespace: "demo", name: "extra", uid },
    prevResult: { cniVersion: "1.0.0", interfaces: [], ips: [] },
  };
  expect(await cni(`${JSON.stringify(request)}\n`)).toMatchObject({ ok: false, code: 4 });
  await expectNothingLost();
});

test("a full map is named with the setting to raise, and nobody else loses anything", async () => {
  const extra = lab.pod("extra");
  node.applyPod(extra);
  const said = async () => JSON.stringify(await stateOf(extra.uid));
  await expect.poll(said, { timeout: 10_000 }).toContain("ERR_MAP_FULL");
  expect(await said()).toContain("maxMembers");
  await expectNothingLost();
  node.deletePodObject(extra);
});

test("an address that two pods claim stays with the one that the kernel routes it to", async () => {
  const twin = await node.addPod({ name: "twin" });
  const [v4, v6] = [lab.pod("m1").address(4), lab.pod("m1").address(6)];
  node.applyPod(twin, { addresses: [v4, v6] });
  await expect.poll(async () => JSON.stringify(await stateOf(twin.uid)), { timeout: 10_000 }).toContain(v4);
  await expectNothingLost();
  node.deletePodObject(twin);
});

test("an unknown redirectMode ends the command with the likely one", async () => {
  const { status, stderr } = await agent.millrace("doctor", "--redirect-mode", "epbf");
  expect(status).toBe(2);
  expect(stderr).toContain("ebpf");
});
