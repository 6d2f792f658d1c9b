import { join } from "node:path";
import { Agent, FAMILIES, Haproxy, Lab, LabPod, Namespace, podManifest } from "@millrace/conformance";
import { afterAll, beforeAll, expect, test } from "vitest";
import { builtPrograms, Runtime } from "./runtime.ts";

const PORT = 8080;
let lab: Lab;
let agent: Agent;
let proxy: Haproxy;
let runtime: Runtime;

// A first build compiles a few hundred packages.
beforeAll(async () => {
  const programs = builtPrograms();
  lab = await Lab.create({ prefix: "chain", nodes: [{ proxies: ["z1"] }], externals: ["world"] });
  const [node, z1] = [lab.node(1), lab.pod("z1")];
  await (await lab.external("world").endpoint()).listen(PORT);
  proxy = await Haproxy.start(z1, { directory: join(node.paths.root, "proxy") });
  node.applyNode();
  node.applyNamespace("istio-system");
  node.applyNamespace("plain");
  node.applyNamespace("mesh", { "istio.io/dataplane-mode": "ambient" });
  node.applyPod(z1);
  agent = await Agent.start(node, { redirectMode: "ebpf" });
  await agent.untilActive(z1);
  const socket = join(node.paths.sockets, "cni.sock");
  runtime = new Runtime({ programs, node: { name: node.namespace.name, socket } });
}, 600_000);

afterAll(async () => {
  runtime?.[Symbol.dispose]();
  await lab?.[Symbol.asyncDispose]();
});

/** Addresses that the fabric routes to the node, past those that the lab gives to pods. */
const ranges = [
  [{ subnet: "198.18.1.0/24", rangeStart: "198.18.1.250", rangeEnd: "198.18.1.254" }],
  [{ subnet: "2001:2:0:1::/64", rangeStart: "2001:2:0:1::f000", rangeEnd: "2001:2:0:1::f0ff" }],
];

/** A pod that the API server has given to the node: its object has no address until the chain has made its interface. */
function publishPod(name: string, namespace: string) {
  const node = lab.node(1);
  const object = { name, namespace, uid: `uid-${name}`, createdAt: new Date(), labels: { app: name } };
  const addresses = { hostAddresses: [node.addresses[4], node.addresses[6]], addresses: [] };
  node.apply(podManifest({ ...object, ...addresses, nodeName: node.name, phase: "Pending" }));
  return { ...object, netns: runtime.addPod(name) };
}

type Published = ReturnType<typeof publishPod>;

function cni(command: "add" | "del", { name, namespace, uid, netns }: Published) {
  const args = `IgnoreUnknown=1;K8S_POD_NAMESPACE=${namespace};K8S_POD_NAME=${name};K8S_POD_UID=${uid}`;
  return runtime.cnitool(command, netns, args);
}

/** Has the chain make the pod's interface. */
async function startPod(pod: Published): Promise<LabPod> {
  const { exit, stdout, stderr } = await cni("add", pod);
  if (exit !== 0 || stderr !== "") throw new Error(`the chain exited with ${exit}: ${stderr}`);
  const [four, six] = JSON.parse(stdout).ips.map(({ address }: { address: string }) => address.replace(/\/\d+$/, ""));
  return new LabPod({ ...pod, index: 0 }, new Namespace(`${runtime.node}-${pod.name}`), { 4: four, 6: six });
}

function configure(version: string): void {
  runtime.configure(version, { type: "ptp", ipam: runtime.ipam(ranges) });
}

/** Connects once in each family; returns what the proxy saw of it, for which it waits as long as `records` are missing. */
async function connect(pod: LabPod, records: number) {
  const client = await pod.endpoint();
  const since = proxy.mark();
  for (const family of FAMILIES) {
    const made = await client.ask("report", { host: lab.external("world").address(family), port: PORT });
    expect(made).toMatchObject({ ok: true, value: { peer: pod.address(family) } });
  }
  // None can only be waited for a while.
  const seen = records === 0 ? proxy.awaitRecords({}, since, 1, 500) : proxy.awaitRecords({}, since, records, 10_000);
  return (await seen).map(({ frontend, source }) => ({ frontend, source }));
}

const captured = (pod: LabPod) => FAMILIES.map((family) => ({ frontend: "outbound", source: pod.address(family) }));

test.each(["1.0.0", "1.1.0"])(
  "a member that a chain of %s made is captured from its first connection on",
  async (version) => {
    configure(version);
    await using member = await startPod(publishPod(`m-${version.replaceAll(".", "")}`, "mesh"));
    expect(await connect(member, 2)).toEqual(captured(member));
  },
);

test("a pod of another namespace that a chain made is left alone", async () => {
  configure("1.1.0");
  await using plain = await startPod(publishPod("plain", "plain"));
  expect(await connect(plain, 0)).toEqual([]);
});

test("while the agent is away members do not start, and do once it is back, captured", async () => {
  configure("1.1.0");
  const late = publishPod("late", "mesh");
  await agent.stop();
  await expect(startPod(late)).rejects.toThrow(/no answer/);
  expect(await cni("del", late)).toMatchObject({ exit: 0 });
  await agent.restart();
  await using member = await startPod(late);
  expect(await connect(member, 2)).toEqual(captured(member));
});
