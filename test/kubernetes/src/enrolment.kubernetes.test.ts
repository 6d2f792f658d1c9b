import { proxyPod } from "@millrace/conformance";
import { afterAll, beforeAll, expect, test } from "vitest";
import { untilNoMember, untilWatches } from "./cluster/agent-view.ts";
import { Cluster, OTHER_PORT, SERVER_PORT } from "./cluster/cluster.ts";
import { nameOf } from "./cluster/kubelet.ts";
import { MEMBER_LABEL, podObject } from "./cluster/objects.ts";
import { expectCaptured, expectCapturedInbound, expectCutOff, expectUntouched } from "./cluster/packets.ts";

let cluster: Cluster;
const shop = "shop";

beforeAll(async () => {
  cluster = await Cluster.create();
  await cluster.addNamespace(shop, MEMBER_LABEL);
  await cluster.addNamespace("plain");
  await cluster.readyAgent();
});

afterAll(() => cluster?.[Symbol.asyncDispose]());

test("the three watches are up to date under the chart's account", async () => {
  await untilWatches(cluster.agent, "synced");
});

test("a pod in a labelled namespace is a member: its packets go through the proxy, in both families", async () => {
  const pod = await cluster.kubelet.runPod({ name: "web", namespace: shop });
  await cluster.agent.untilEnrolled(pod);
  await expectCaptured(cluster, pod);
});

test("what the world sends to a member goes through the proxy", async () => {
  const pod = await cluster.kubelet.runPod({ name: "server", namespace: shop });
  await cluster.agent.untilEnrolled(pod);
  await expectCapturedInbound(cluster, pod);
});

test("a pod of a namespace without the label is left alone", async () => {
  const pod = await cluster.kubelet.runPod({ name: "alone", namespace: "plain" });
  await untilNoMember(cluster.agent, pod);
  await expectUntouched(cluster, pod);
});

test("labelling a namespace enrols the pods that run in it, and taking the label away lets them go", async () => {
  await cluster.addNamespace("late");
  const pod = await cluster.kubelet.runPod({ name: "late", namespace: "late" });
  await untilNoMember(cluster.agent, pod);
  await cluster.labelNamespace("late", MEMBER_LABEL);
  await cluster.agent.untilEnrolled(pod);
  await expectCaptured(cluster, pod);
  await cluster.labelNamespace("late", { "istio.io/dataplane-mode": null });
  await cluster.agent.untilLeft(pod);
  await expectUntouched(cluster, pod);
});

test("the label with another value makes no members", async () => {
  await cluster.addNamespace("other", { "istio.io/dataplane-mode": "none" });
  const pod = await cluster.kubelet.runPod({ name: "other", namespace: "other" });
  await untilNoMember(cluster.agent, pod);
  await expectUntouched(cluster, pod);
});

test("an excluded namespace has no members, labelled or not", async () => {
  await cluster.labelNamespace("kube-system", MEMBER_LABEL);
  await cluster.api.create({
    apiVersion: "v1",
    kind: "ServiceAccount",
    metadata: { name: "default", namespace: "kube-system" },
  });
  const pod = await cluster.kubelet.runPod({ name: "dns", namespace: "kube-system" });
  await untilNoMember(cluster.agent, pod);
  await expectUntouched(cluster, pod);
});

test.each(["ambient.istio.io/redirection", "millrace.dev/redirection"])(
  "the annotation %s lets a running member go, and its end brings it back",
  async (annotation) => {
    const name = annotation.startsWith("millrace") ? "opt-ours" : "opt-istio";
    const pod = await cluster.kubelet.runPod({ name, namespace: shop });
    await cluster.agent.untilEnrolled(pod);
    await cluster.api.patch(nameOf(pod), { metadata: { annotations: { [annotation]: "disabled" } } });
    await cluster.agent.untilLeft(pod);
    await expectUntouched(cluster, pod);
    await cluster.api.patch(nameOf(pod), { metadata: { annotations: { [annotation]: null } } });
    await cluster.agent.untilEnrolled(pod);
    await expectCaptured(cluster, pod);
  },
);

test("a pod that is made with the annotation never becomes a member", async () => {
  const annotations = { "ambient.istio.io/redirection": "disabled" };
  const pod = await cluster.kubelet.runPod({ name: "never", namespace: shop, annotations });
  await untilNoMember(cluster.agent, pod);
  await expectUntouched(cluster, pod);
});

test("a pod with a sidecar is left alone", async () => {
  const annotations = { "sidecar.istio.io/status": "{}" };
  const pod = await cluster.kubelet.runPod({ name: "sidecar", namespace: shop, annotations });
  await untilNoMember(cluster.agent, pod);
  await expectUntouched(cluster, pod);
});

test("excluded ports are reached directly, all others through the proxy", async () => {
  const annotations = { "millrace.dev/exclude-outbound-ports": String(OTHER_PORT) };
  const pod = await cluster.kubelet.runPod({ name: "ports", namespace: shop, annotations });
  await cluster.agent.untilEnrolled(pod);
  await expectUntouched(cluster, pod, OTHER_PORT);
  await expectCaptured(cluster, pod, SERVER_PORT);
});

test("a pod in the node's network is no member", async () => {
  const stored = await cluster.api.create(
    podObject({ name: "host", namespace: shop, nodeName: cluster.node.name, hostNetwork: true }),
  );
  await untilNoMember(cluster.agent, { name: "host", uid: stored.metadata.uid });
});

test("pods of other nodes are not even looked at", async () => {
  const stored = await cluster.api.create(podObject({ name: "elsewhere", namespace: shop, nodeName: "another" }));
  const pod = await cluster.kubelet.runPod({ name: "after", namespace: shop });
  await cluster.agent.untilEnrolled(pod);
  const { workloads } = await cluster.agent.status();
  expect(workloads.map(({ uid }) => uid)).not.toContain(stored.metadata.uid);
});

test("a pod that is only bound waits, and is enrolled when the kubelet reports its addresses", async () => {
  const options = { name: "pending", namespace: shop };
  const { uid } = (await cluster.kubelet.createObject(options)).metadata;
  const { agent } = cluster;
  await agent.until("the pod seen", ({ workloads }) => workloads.some((one) => one.uid === uid));
  const pod = await cluster.node.addPod({ ...options, uid });
  await cluster.kubelet.reportRunning(pod);
  await agent.untilEnrolled(pod);
  await expectCaptured(cluster, pod);
});

test("a pod that is being deleted stays a member until it is gone", async () => {
  const pod = await cluster.kubelet.runPod({ name: "ending", namespace: shop });
  await cluster.agent.untilEnrolled(pod);
  await cluster.api.delete(nameOf(pod), 30);
  expect((await cluster.api.get(nameOf(pod))).metadata.deletionTimestamp).toBeDefined();
  // A later change of another pod has been acted on: so was this one.
  const later = await cluster.kubelet.runPod({ name: "later", namespace: shop });
  await cluster.agent.untilEnrolled(later, pod);
  await expectCaptured(cluster, pod);
  await cluster.kubelet.removePod(pod);
  await cluster.agent.untilLeft(pod);
});

test("a pod that has ended is no member any more", async () => {
  const pod = await cluster.kubelet.runPod({ name: "job", namespace: shop });
  await cluster.agent.untilEnrolled(pod);
  const conditions = [{ type: "Ready", status: "False" }];
  const status = { status: { phase: "Succeeded", conditions } };
  await cluster.api.patch(nameOf(pod), status, { kind: "strategic", subresource: "status" });
  await cluster.agent.untilLeft(pod);
});

test("a member is cut off while there is no proxy, and goes through the next one", async () => {
  await using second = await Cluster.create();
  await second.addNamespace(shop, MEMBER_LABEL);
  await second.readyAgent();
  const pod = await second.kubelet.runPod({ name: "web", namespace: shop });
  await second.agent.untilEnrolled(pod);
  await second.kubelet.removePod(second.proxy.pod);
  await second.agent.untilActive(undefined);
  await expectCutOff(second, pod);
  await second.startProxy(proxyPod({ name: "z2" }));
  await second.agent.untilActive(second.proxy.pod);
  await expectCaptured(second, pod);
});
