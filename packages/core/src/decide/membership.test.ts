import { describe, expect, test } from "vitest";
import type { EventData, EventInput } from "../events/event.ts";
import { inputs } from "../events/inputs.ts";
import { meshNamespace, plainNamespace, pod, proxyPod, Scenario, started, synced, veth } from "../testing/scenario.ts";
import { membershipOf } from "./membership.ts";

function membership(...given: EventInput[]) {
  const scenario = new Scenario();
  scenario.feed(started(), ...given);
  return membershipOf(scenario.state, "uid-1");
}

test("a pod of this node in a namespace with the label is a member", () => {
  expect(membership(meshNamespace(), pod(1))).toEqual({ kind: "member" });
});

describe("everything else is not, and the reason is told", () => {
  test.each<[string, Partial<EventData["pod.observed"]>]>([
    ["on node n2", { nodeName: "n2" }],
    ["not scheduled", { nodeName: "" }],
    ["hostNetwork", { hostNetwork: true }],
    ["phase Succeeded", { phase: "Succeeded" }],
    ["phase Failed", { phase: "Failed" }],
    ["annotation sidecar.istio.io/status", { annotations: { "sidecar.istio.io/status": "" } }],
    [
      "annotation ambient.istio.io/redirection=disabled",
      { annotations: { "ambient.istio.io/redirection": "disabled" } },
    ],
    ["annotation millrace.dev/redirection=disabled", { annotations: { "millrace.dev/redirection": "disabled" } }],
  ])("%s", (reason, changes) => {
    expect(membership(meshNamespace(), pod(1, changes))).toEqual({ kind: "not-member", reason });
  });

  test("no label, or another value", () => {
    const reason = "namespace shop has no label istio.io/dataplane-mode=ambient";
    expect(membership(plainNamespace(), pod(1))).toEqual({ kind: "not-member", reason });
    const other = inputs.namespaceObserved({ name: "shop", labels: { "istio.io/dataplane-mode": "none" } });
    expect(membership(other, pod(1))).toEqual({ kind: "not-member", reason });
  });

  test.each(["istio-system", "kube-system", "millrace-system"])(
    "namespace %s is excluded, label or not",
    (namespace) => {
      const reason = `namespace ${namespace} is excluded`;
      expect(membership(meshNamespace(namespace), pod(1, { namespace }))).toEqual({ kind: "not-member", reason });
    },
  );

  test("a node proxy, even where its namespace is in the mesh", () => {
    expect(membership(meshNamespace("istio-system"), proxyPod(1))).toEqual({
      kind: "not-member",
      reason: "node proxy",
    });
  });
});

describe("what does not keep a pod out", () => {
  test.each<[string, Partial<EventData["pod.observed"]>]>([
    ["an annotation that says enabled", { annotations: { "ambient.istio.io/redirection": "enabled" } }],
    ["not being ready", { ready: false, phase: "Pending" }],
    ["being deleted: its connections go on", { terminating: true }],
    ["a phase that is not known", { phase: "Unknown" }],
    ["the proxy's labels in another namespace", { labels: { app: "ztunnel" } }],
  ])("%s", (_, changes) => {
    expect(membership(meshNamespace(), pod(1, changes))).toEqual({ kind: "member" });
  });
});

describe("before everything has been seen", () => {
  test("a pod or a namespace that was not seen is unknown; after the first list that is final", () => {
    expect(membership()).toEqual({ kind: "unknown", reason: "the pod has not been seen", final: false });
    expect(membership(synced)).toEqual({ kind: "unknown", reason: "the pod has not been seen", final: true });
    expect(membership(pod(1))).toEqual({ kind: "unknown", reason: "namespace shop has not been seen", final: false });
  });

  test("a watch that was lost before it ever synced has listed nothing", () => {
    const lost = inputs.watchLost("manifests", "no such directory");
    expect(membership(lost)).toMatchObject({ kind: "unknown", final: false });
    expect(membership(synced, lost)).toMatchObject({ kind: "unknown", final: true });
  });

  test("an interface alone tells the namespace, which may settle it", () => {
    expect(membership(plainNamespace(), veth(1))).toMatchObject({ kind: "not-member" });
    expect(membership(veth(1, { namespace: "kube-system" }))).toMatchObject({ kind: "not-member" });
    expect(membership(meshNamespace(), veth(1))).toMatchObject({ kind: "unknown" });
  });

  test("a pod that is certainly out needs no namespace", () => {
    expect(membership(pod(1, { hostNetwork: true }))).toMatchObject({ kind: "not-member" });
  });
});
