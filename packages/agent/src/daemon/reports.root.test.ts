import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { EXIT } from "../exit-codes.ts";
import { eventually } from "../testing/eventually.ts";
import { NodeApi } from "../testing/node-api.ts";
import { objects, PrivateNode } from "../testing/private-node.ts";

const PLUGIN = join(import.meta.dirname, "..", "..", "test", "scripted-backend.ts");
const KEY = "ambient.istio.io/redirection";
const EVENTS = "/apis/events.k8s.io/v1/events";
const TAINT = { key: "millrace.dev/agent-not-ready", effect: "NoSchedule" };
const MEMBERS = { "istio.io/dataplane-mode": "ambient" };

const podPath = (namespace: string, name: string) => `/api/v1/namespaces/${namespace}/pods/${name}`;

/** Reasons of the Events about an object, in the order in which they were made. */
async function reasons(api: NodeApi, name: string): Promise<unknown[]> {
  const events = await api.list(EVENTS);
  return events.filter(({ regarding }) => (regarding as { name: string }).name === name).map(({ reason }) => reason);
}

const annotation = async (api: NodeApi, name: string): Promise<unknown> =>
  ((await api.get(podPath("shop", name))).metadata.annotations as Record<string, string> | undefined)?.[KEY];

test("the cluster is told what became of pods: annotation, Events, startup taint", async () => {
  await using node = await PrivateNode.create();
  await using api = await NodeApi.start(node);
  const { directory } = node;
  await node.addPod("web", "198.18.77.11");
  await node.addPod("cart", "198.18.77.12");
  await node.addPod("ztunnel", "198.18.77.13");
  await api.put("/api/v1/nodes/n1", { metadata: { name: "n1" }, spec: { taints: [TAINT] }, status: { addresses: [] } });
  await api.put("/api/v1/namespaces/shop", objects.namespace("shop", MEMBERS));
  await api.put("/api/v1/namespaces/istio-system", objects.namespace("istio-system"));
  await api.put(podPath("shop", "web"), objects.pod("shop", "web", "198.18.77.11"));
  node.configure({
    redirectMode: "scripted",
    plugins: [PLUGIN],
    backends: { scripted: { directory } },
    manifests: { enabled: false },
    kubernetes: { enabled: true, kubeconfig: api.kubeconfig, startupTaint: TAINT.key },
  });
  await using agent = node.agent();
  await agent.logged(/agent is running/);

  expect(
    await eventually(
      () => annotation(api, "web"),
      (value) => value === "enabled",
    ),
  ).toBe("enabled");
  // It is captured, and there is nowhere to send its connections to: no pod should start here.
  await eventually(
    () => reasons(api, "n1"),
    (told) => told.includes("NodeProxyMissing"),
    30_000,
  );
  expect((await api.get("/api/v1/nodes/n1")).spec).toEqual({ taints: [TAINT] });
  await api.put(
    podPath("istio-system", "ztunnel"),
    objects.pod("istio-system", "ztunnel", "198.18.77.13", { app: "ztunnel" }),
  );
  const untainted = await eventually(
    () => api.get("/api/v1/nodes/n1"),
    ({ spec }) => (spec as { taints: unknown[] }).taints.length === 0,
  );
  expect(untainted.spec).toEqual({ taints: [] });
  expect(
    await eventually(
      () => reasons(api, "n1"),
      (told) => told.length > 1,
    ),
  ).toEqual(["NodeProxyMissing", "Recovered"]);

  writeFileSync(join(directory, "scripted.apply-fails"), "EBUSY");
  await api.put(podPath("shop", "cart"), objects.pod("shop", "cart", "198.18.77.12"));
  expect(
    await eventually(
      () => reasons(api, "cart"),
      (told) => told.length > 0,
    ),
  ).toEqual(["EnrolmentFailed"]);
  const [failed] = await api.list(EVENTS).then((events) => events.filter(({ reason }) => reason === "EnrolmentFailed"));
  expect(failed).toMatchObject({
    note: "EBUSY: scripted: apply shop/cart: told to by scripted.apply-fails",
    type: "Warning",
    reportingController: "millrace.dev/agent",
    reportingInstance: "n1",
    regarding: { kind: "Pod", namespace: "shop", uid: "uid-cart" },
  });
  expect(await annotation(api, "cart")).toBeUndefined();
  rmSync(join(directory, "scripted.apply-fails"));
  expect(
    await eventually(
      () => reasons(api, "cart"),
      (told) => told.length > 1,
      45_000,
    ),
  ).toEqual(["EnrolmentFailed", "Redirected"]);
  expect(
    await eventually(
      () => annotation(api, "cart"),
      (value) => value === "enabled",
    ),
  ).toBe("enabled");

  await api.put("/api/v1/namespaces/shop", objects.namespace("shop"));
  for (const name of ["web", "cart"]) {
    expect(
      await eventually(
        () => annotation(api, name),
        (value) => value === undefined,
      ),
    ).toBeUndefined();
  }
  expect(await agent.stop("SIGTERM")).toEqual({ code: EXIT.ok, signal: null });
});

test("what somebody takes away is told, in the kernel and in the CNI directory", async () => {
  await using node = await PrivateNode.create();
  await using api = await NodeApi.start(node);
  const { directory } = node;
  const at = (name: string) => join(directory, name);
  const list = '{"cniVersion":"1.0.0","name":"net","plugins":[{"type":"bridge"}]}\n';
  for (const name of ["cni/net.d", "cni/bin", "image"]) mkdirSync(at(name), { recursive: true });
  writeFileSync(at("image/millrace"), "the plugin");
  writeFileSync(at("cni/net.d/10-net.conflist"), list);
  await node.addPod("web", "198.18.77.11");
  await api.put("/api/v1/nodes/n1", { metadata: { name: "n1" }, status: { addresses: [] } });
  await api.put("/api/v1/namespaces/shop", objects.namespace("shop", MEMBERS));
  await api.put(podPath("shop", "web"), objects.pod("shop", "web", "198.18.77.11"));
  node.configure({
    redirectMode: "scripted",
    plugins: [PLUGIN],
    backends: { scripted: { directory } },
    manifests: { enabled: false },
    kubernetes: { enabled: true, kubeconfig: api.kubeconfig },
    install: {
      enabled: true,
      cniBinDir: at("cni/bin"),
      cniConfDir: at("cni/net.d"),
      pluginSource: at("image/millrace"),
    },
  });
  await using agent = node.agent();
  await agent.logged(/the CNI plugin is installed/);
  expect(
    await eventually(
      () => annotation(api, "web"),
      (value) => value === "enabled",
    ),
  ).toBe("enabled");

  writeFileSync(at("cni/net.d/10-net.conflist"), list);
  const mended = await eventually(
    () => reasons(api, "n1"),
    (told) => told.includes("CniConfigurationMended"),
  );
  expect(mended).toContain("CniConfigurationMended");

  // A part that no applying brings back: it is told, and the pod is not said to be redirected any more.
  writeFileSync(at("scripted.observe"), "route is missing");
  const drifted = await eventually(
    () => reasons(api, "web"),
    (told) => told.includes("RedirectionDrifted"),
  );
  expect(drifted).toContain("RedirectionDrifted");
  expect(
    await eventually(
      () => annotation(api, "web"),
      (value) => value === undefined,
      30_000,
    ),
  ).toBeUndefined();
});
