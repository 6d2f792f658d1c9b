import { NAMESPACE } from "@millrace/deploy";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { untilWatches, type WatchName } from "./cluster/agent-view.ts";
import { Cluster } from "./cluster/cluster.ts";
import { MEMBER_LABEL } from "./cluster/objects.ts";
import { type Rule, rulesOf, setRules, without } from "./cluster/role.ts";
import type { StoredObject } from "./control-plane/api-client.ts";

let cluster: Cluster;
let asRendered: readonly Rule[];

beforeAll(async () => {
  cluster = await Cluster.create({ chart: { values: { "startupTaint.enabled": true } } });
  asRendered = await rulesOf(cluster.api);
});

afterEach(() => setRules(cluster.api, asRendered));
afterAll(() => cluster?.[Symbol.asyncDispose]());

/** The account's answer to SelfSubjectAccessReview, in its own name. */
async function allowed(attributes: {
  readonly verb: string;
  readonly resource: string;
  readonly group?: string;
  readonly subresource?: string;
  readonly name?: string;
  readonly namespace?: string;
}): Promise<boolean> {
  using agent = cluster.api.as(cluster.account.token);
  const review = (await agent.ask("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", {
    apiVersion: "authorization.k8s.io/v1",
    kind: "SelfSubjectAccessReview",
    spec: { resourceAttributes: attributes },
  })) as StoredObject & { status: { allowed: boolean } };
  return review.status.allowed;
}

describe("what the agent asks for, it may", () => {
  test.each([
    ["get", "pods"],
    ["list", "pods"],
    ["watch", "pods"],
    ["list", "namespaces"],
    ["watch", "namespaces"],
    ["get", "nodes"],
    ["list", "nodes"],
    ["watch", "nodes"],
    ["patch", "nodes"],
  ])("%s %s", async (verb, resource) => {
    expect(await allowed({ verb, resource })).toBe(true);
  });

  test.each(["create", "patch"])("%s events of events.k8s.io", async (verb) => {
    expect(await allowed({ verb, group: "events.k8s.io", resource: "events" })).toBe(true);
  });

  test("patch pods/status", async () => {
    expect(await allowed({ verb: "patch", resource: "pods", subresource: "status" })).toBe(true);
  });

  test("get its own DaemonSet, and no other", async () => {
    const attributes = { verb: "get", group: "apps", resource: "daemonsets", namespace: NAMESPACE };
    expect(await allowed({ ...attributes, name: "millrace-agent" })).toBe(true);
    expect(await allowed({ ...attributes, name: "kube-proxy" })).toBe(false);
  });
});

describe("what it does not ask for, it may not", () => {
  test.each([
    ["get", "secrets"],
    ["list", "secrets"],
    ["get", "configmaps"],
    ["create", "pods"],
    ["patch", "pods"],
    ["delete", "pods"],
    ["get", "namespaces"],
    ["patch", "namespaces"],
    ["delete", "nodes"],
    ["update", "nodes"],
    ["list", "events"],
    ["create", "events"],
    ["impersonate", "users"],
  ])("%s %s", async (verb, resource) => {
    expect(await allowed({ verb, resource })).toBe(false);
  });

  test.each(["exec", "attach", "portforward", "eviction", "binding"])("create pods/%s", async (subresource) => {
    expect(await allowed({ verb: "create", resource: "pods", subresource })).toBe(false);
  });

  test("change its own rights", async () => {
    const group = "rbac.authorization.k8s.io";
    for (const resource of ["clusterroles", "clusterrolebindings"])
      for (const verb of ["create", "patch", "bind", "escalate"])
        expect(await allowed({ verb, group, resource })).toBe(false);
  });
});

describe("each verb of the role is needed: without it a watch is lost, with the words of the API server", () => {
  test.each<[string, string, WatchName]>([
    ["list", "pods", "kubernetes-pods"],
    ["watch", "pods", "kubernetes-pods"],
    ["list", "namespaces", "kubernetes-namespaces"],
    ["watch", "namespaces", "kubernetes-namespaces"],
    ["list", "nodes", "kubernetes-node"],
    ["watch", "nodes", "kubernetes-node"],
  ])("%s %s", async (verb, resource, watch) => {
    await setRules(cluster.api, without(asRendered, verb, resource));
    const agent = await cluster.startAgent();
    try {
      const [reason] = await untilWatches(agent, "lost", [watch]);
      expect(reason).toContain("403");
      expect(reason).toContain(`cannot ${verb} resource "${resource}"`);
      await setRules(cluster.api, asRendered);
      await untilWatches(agent, "synced");
    } finally {
      await agent.stop();
    }
  });

  test("with all of them a pod is enrolled", async () => {
    await cluster.addNamespace("shop", MEMBER_LABEL);
    const agent = await cluster.readyAgent();
    const pod = await cluster.kubelet.runPod({ name: "web", namespace: "shop" });
    await agent.untilEnrolled(pod);
    await agent.stop();
  });
});
