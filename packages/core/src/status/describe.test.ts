import { expect, test } from "vitest";
import { ambientConfig } from "../ambient/ambient-config.ts";
import { inputs } from "../events/inputs.ts";
import { meshNamespace, pod, proxyPod, Scenario, started, synced, veth, workload } from "../testing/scenario.ts";
import { describeProxyProblems, describeWorkload, describeWorkloads } from "./describe.ts";

function scenario(): Scenario {
  const run = new Scenario();
  run.feed(started(), synced, meshNamespace());
  return run;
}

test("every pod of the node is there, by namespace and name; those of other nodes are not", () => {
  const run = scenario();
  run.feed(pod(2), pod(1), proxyPod(9), pod(3, { nodeName: "n2" }), veth(4, { namespace: "late" }));
  expect(
    describeWorkloads(run.state).map(
      ({ namespace, name, membership, reason }) => `${namespace}/${name} ${membership} ${reason}`,
    ),
  ).toEqual([
    "istio-system/ztunnel-9 not-member node proxy",
    "late/pod-4 unknown the pod has not been seen",
    "shop/pod-1 pending no interface",
    "shop/pod-2 pending no interface",
  ]);
});

test("a member tells what was asked for and what came of it", () => {
  const run = scenario();
  run.feed(pod(1), veth(1));
  expect(describeWorkload(run.state, "uid-1")).toMatchObject({
    membership: "member",
    addresses: ["198.18.1.11", "2001:2:0:1::b"],
    requested: "apply",
    outcome: { state: "pending" },
    interface: { hostIfName: "veth1", source: "cni" },
    problems: [],
  });
  run.fail(workload(1));
  expect(describeWorkload(run.state, "uid-1").outcome).toMatchObject({
    state: "failed",
    attempt: 1,
    error: { code: "EBUSY" },
  });
});

test("conflicts, drift and failed discovery are problems", () => {
  const run = scenario();
  run.feed(pod(1), veth(1), pod(2, { addresses: [] }), veth(2, { addresses: ["198.18.1.11"] }), pod(3));
  run.feed({ type: "drift.found", subject: workload(1), data: { problems: ["ingress filter is missing"] } });
  run.feed(inputs.discoveryFailed({ uid: "uid-3", attempts: [{ method: "route", outcome: "no host route" }] }));
  expect(describeWorkload(run.state, "uid-1").problems).toEqual([
    "address 198.18.1.11 is also claimed by shop/pod-2, which has it",
    "ingress filter is missing",
  ]);
  expect(describeWorkload(run.state, "uid-2").problems).toEqual([]);
  expect(describeWorkload(run.state, "uid-3").problems).toEqual(["no interface found by route: no host route"]);
});

test("what an earlier run asked for is shown although its pod has not been seen", () => {
  const run = scenario();
  run.feed(pod(1), veth(1));
  run.feed(started());
  expect(describeWorkloads(run.state)).toMatchObject([
    { uid: "uid-1", name: "pod-1", requested: "apply", carried: true, membership: "unknown" },
  ]);
});

test("proxies that cannot serve say why", () => {
  const run = scenario();
  run.feed(proxyPod(1, { hostNetwork: true }), proxyPod(2));
  expect(describeProxyProblems(run.state)).toEqual([
    "istio-system/ztunnel-1: a proxy on the host's network cannot be steered to; run it as an ordinary pod",
    "istio-system/ztunnel-2: no interface",
  ]);
});

test("the ambient config file says whether there is a proxy, and which backend serves", () => {
  const run = scenario();
  expect(ambientConfig(run.state)).toEqual({ ztunnelReady: false, redirectMode: "" });
  run.feed(
    inputs.backendSelected({ mode: "auto", backend: "ebpf", probes: [], reason: "first" }),
    proxyPod(1),
    veth(1),
  );
  expect(ambientConfig(run.state)).toEqual({ ztunnelReady: true, redirectMode: "ebpf" });
  run.fail("proxies");
  expect(ambientConfig(run.state).ztunnelReady).toBe(false);
  run.feed({ type: "retry.due", subject: "proxies", data: { attempt: 2, delayMs: 100 } });
  run.succeed("proxies");
  expect(ambientConfig(run.state).ztunnelReady).toBe(true);
  run.feed(inputs.podRemoved("uid-1"));
  expect(ambientConfig(run.state).ztunnelReady).toBe(false);
});
