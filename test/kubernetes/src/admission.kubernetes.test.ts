import { NAMESPACE } from "@millrace/deploy";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { Cluster } from "./cluster/cluster.ts";
import { podName } from "./cluster/kubelet.ts";
import { podObject } from "./cluster/objects.ts";
import type { ApiClient, ObjectName } from "./control-plane/api-client.ts";

const TAINT = "millrace.dev/agent-not-ready";
const ANNOTATION = "ambient.istio.io/redirection";

let cluster: Cluster;
/** Who asks: the agent of node n1, by its pod's token. */
let agent: ApiClient;

const own = podName({ name: "own", namespace: "shop" });
const foreign = podName({ name: "foreign", namespace: "shop" });
const node = (name: string): ObjectName => ({ apiVersion: "v1", kind: "Node", metadata: { name } });

beforeAll(async () => {
  cluster = await Cluster.create({ chart: { values: { "startupTaint.enabled": true } } });
  const { api } = cluster;
  await cluster.addNamespace("shop");
  await api.create({ apiVersion: "v1", kind: "Node", metadata: { name: "n2" } });
  const annotations = { team: "net" };
  await api.create(podObject({ name: "own", namespace: "shop", nodeName: "n1", annotations }));
  await api.create(podObject({ name: "foreign", namespace: "shop", nodeName: "n2" }));
  agent = api.as(cluster.account.token);
  // The API server takes a new policy into use a moment after it has been stored.
  const refused = () => expect(annotate(foreign)).rejects.toThrow("may not patch pods of other nodes");
  await vi.waitFor(refused, { timeout: 60_000, interval: 100 });
});

afterAll(async () => {
  agent?.[Symbol.dispose]();
  await cluster?.[Symbol.asyncDispose]();
});

function patchStatus(pod: ObjectName, patch: object, by = agent) {
  return by.patch(pod, patch, { subresource: "status" });
}

const annotate = (pod: ObjectName, by = agent) =>
  patchStatus(pod, { metadata: { annotations: { [ANNOTATION]: "enabled" } } }, by);

describe("pods", () => {
  test("the agent sets and takes back its annotation on a pod of its node", async () => {
    expect((await annotate(own)).metadata.annotations).toEqual({ team: "net", [ANNOTATION]: "enabled" });
    const after = await patchStatus(own, { metadata: { annotations: { [ANNOTATION]: null } } });
    expect(after.metadata.annotations).toEqual({ team: "net" });
  });

  test("not on a pod of another node", async () => {
    await expect(annotate(foreign)).rejects.toMatchObject({
      status: 403,
      message: expect.stringContaining("an agent of node n1 may not patch pods of other nodes"),
    });
  });

  test.each([
    ["a further annotation", { metadata: { annotations: { other: "x" } } }, "no annotation of a pod but"],
    ["another annotation changed", { metadata: { annotations: { team: "x" } } }, "no annotation of a pod but"],
    ["another annotation taken away", { metadata: { annotations: { team: null } } }, "no annotation of a pod but"],
    ["the phase", { status: { phase: "Failed" } }, "neither status nor labels nor finalizers"],
    ["the address", { status: { podIP: "198.18.1.99", podIPs: [{ ip: "198.18.1.99" }] } }, "neither status nor labels"],
  ])("%s: refused", async (_, patch, words) => {
    await expect(patchStatus(own, patch)).rejects.toMatchObject({
      status: 403,
      message: expect.stringContaining(words),
    });
  });

  test.each([
    ["labels", { metadata: { labels: { app: "mine" } } }],
    ["finalizers", { metadata: { finalizers: ["example.com/mine"] } }],
  ])("%s are as before, whether refused or ignored", async (_, patch) => {
    const before = (await cluster.api.get(own)).metadata;
    await patchStatus(own, patch).catch(() => undefined);
    const { labels, finalizers } = (await cluster.api.get(own)).metadata;
    expect({ labels, finalizers }).toEqual({ labels: before.labels, finalizers: before.finalizers });
  });

  test("a token that is bound to no pod, and so to no node, changes nothing", async () => {
    using stranger = cluster.api.as(await cluster.api.requestToken(NAMESPACE, "millrace-agent"));
    await expect(annotate(own, stranger)).rejects.toMatchObject({
      status: 403,
      message: expect.stringContaining("the agent's token names no node"),
    });
  });

  test("others are not concerned", async () => {
    const after = await patchStatus(foreign, { metadata: { annotations: { any: "thing" } } }, cluster.api);
    expect(after.metadata.annotations).toMatchObject({ any: "thing" });
  });
});

describe("nodes", () => {
  const noSchedule = (key: string) => ({ key, effect: "NoSchedule" });
  const setTaints = (name: string, taints: readonly object[], by = agent) => by.patch(node(name), { spec: { taints } });

  test("the agent takes the startup taint from its node, and leaves others there", async () => {
    await setTaints("n1", [noSchedule(TAINT), noSchedule("gpu")], cluster.api);
    const after = await setTaints("n1", [noSchedule("gpu")]);
    expect(after.spec).toMatchObject({ taints: [{ key: "gpu" }] });
  });

  test.each([
    ["another taint taken away", []],
    ["the startup taint put there", [noSchedule("gpu"), noSchedule(TAINT)]],
    ["a further taint", [noSchedule("gpu"), noSchedule("mine")]],
  ])("%s: refused", async (_, taints) => {
    await setTaints("n1", [noSchedule("gpu")], cluster.api);
    await expect(setTaints("n1", taints)).rejects.toMatchObject({
      status: 403,
      message: expect.stringContaining("and change no other"),
    });
  });

  test("the taint of another node: refused", async () => {
    await setTaints("n2", [noSchedule(TAINT)], cluster.api);
    await expect(setTaints("n2", [])).rejects.toMatchObject({
      status: 403,
      message: expect.stringContaining("its own node only"),
    });
  });

  test.each([
    ["cordoned", { spec: { unschedulable: true } }],
    ["labelled", { metadata: { labels: { mine: "x" } } }],
    ["annotated", { metadata: { annotations: { mine: "x" } } }],
    ["given a finalizer", { metadata: { finalizers: ["example.com/mine"] } }],
    // Owned by what is not there, the garbage collector would delete it.
    ["given an owner", { metadata: { ownerReferences: [{ apiVersion: "v1", kind: "Node", name: "gone", uid: "1" }] } }],
    ["given another machine", { spec: { providerID: "mine://x" } }],
  ])("its node is not %s", async (_, patch) => {
    await expect(agent.patch(node("n1"), patch)).rejects.toMatchObject({
      status: 403,
      message: expect.stringContaining("nothing of its node but the taint"),
    });
  });
});

describe("Events", () => {
  let told = 0;
  const event = (controller: string, instance: string) => ({
    apiVersion: "events.k8s.io/v1",
    kind: "Event",
    metadata: { name: `told-${++told}`, namespace: "shop" },
    eventTime: "2026-01-01T00:00:00.000000Z",
    reportingController: controller,
    reportingInstance: instance,
    action: "Enrol",
    reason: "EnrolmentFailed",
    type: "Warning",
    note: "no room",
    regarding: { apiVersion: "v1", kind: "Pod", name: "own", namespace: "shop" },
  });
  const ours = "millrace.dev/agent";
  const series = { count: 2, lastObservedTime: "2026-01-01T00:00:01.000000Z" };

  test("the agent tells one in its own name, and that it happened again", async () => {
    const { metadata } = await agent.create(event(ours, "n1"));
    const again = await agent.patch({ apiVersion: "events.k8s.io/v1", kind: "Event", metadata }, { series });
    expect(again).toMatchObject({ series: { count: 2 } });
  });

  test.each([
    ["in the name of another program", "kubelet", "n1"],
    ["in the name of another node's agent", ours, "n2"],
    ["in the name of a node whose name is the beginning of its own", ours, "n"],
  ])("%s: refused", async (_, controller, instance) => {
    await expect(agent.create(event(controller, instance))).rejects.toMatchObject({
      status: 403,
      message: expect.stringContaining("may only tell Events of its own"),
    });
  });

  test("somebody else's is not changed", async () => {
    const { metadata } = await cluster.api.create(event("kubelet", "n1"));
    const name = { apiVersion: "events.k8s.io/v1", kind: "Event", metadata };
    await expect(agent.patch(name, { series })).rejects.toThrow("may only tell Events of its own");
  });

  test("a token that is bound to no node tells none", async () => {
    using stranger = cluster.api.as(await cluster.api.requestToken(NAMESPACE, "millrace-agent"));
    await expect(stranger.create(event(ours, "n1"))).rejects.toThrow("names no node");
  });
});

test("without the policy RBAC alone would have let all of that through", async () => {
  const policy = { apiVersion: "admissionregistration.k8s.io/v1", kind: "ValidatingAdmissionPolicyBinding" };
  const name = { ...policy, metadata: { name: `millrace-agent-${NAMESPACE}-pods` } };
  await cluster.api.delete(name);
  await expect.poll(() => annotate(foreign).then(() => "let through", String), { timeout: 60_000 }).toBe("let through");
});
