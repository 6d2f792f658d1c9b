import type { LabPod } from "@millrace/conformance";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { z } from "zod";
import { untilWatches } from "./cluster/agent-view.ts";
import { Cluster } from "./cluster/cluster.ts";
import { cutOff } from "./cluster/cut.ts";
import { nameOf } from "./cluster/kubelet.ts";
import { MEMBER_LABEL } from "./cluster/objects.ts";
import { rulesOf, setRules, without } from "./cluster/role.ts";

const shop = "shop";
const ANNOTATION = "ambient.istio.io/redirection";
const TAINT = "millrace.dev/agent-not-ready";
/** Room for the addresses of three dual-stack members. */
const MAX_MEMBERS = 6;

const Event = z.looseObject({
  reason: z.string(),
  note: z.string(),
  type: z.string(),
  reportingController: z.string(),
  regarding: z.looseObject({ kind: z.string(), name: z.string() }),
});
const SOON = { timeout: 60_000, interval: 100 };
const node = { apiVersion: "v1", kind: "Node", metadata: { name: "n1" } };

let cluster: Cluster;

beforeAll(async () => {
  cluster = await Cluster.create({ chart: { values: { "startupTaint.enabled": true } } });
  await cluster.addNamespace(shop, MEMBER_LABEL);
  const taints = [
    { key: TAINT, effect: "NoSchedule" },
    { key: "gpu", effect: "NoSchedule" },
  ];
  await cluster.api.patch(node, { spec: { taints } });
  await cluster.readyAgent({
    backends: { ebpf: { maxMembers: MAX_MEMBERS } },
    settings: {
      kubernetes: { enabled: true, kubeconfig: cluster.account.kubeconfig, startupTaint: TAINT },
      http: { address: "127.0.0.1" },
    },
  });
});

afterAll(() => cluster?.[Symbol.asyncDispose]());

const run = async (name: string): Promise<LabPod> => {
  const pod = await cluster.kubelet.runPod({ name, namespace: shop });
  await cluster.agent.untilEnrolled(pod);
  return pod;
};

async function untilAnnotation(pod: LabPod, wanted: string | undefined): Promise<void> {
  const said = async () => (await cluster.api.get(nameOf(pod))).metadata.annotations?.[ANNOTATION];
  await vi.waitFor(async () => expect(await said()).toBe(wanted), SOON);
}

async function eventsAbout(name: string): Promise<z.output<typeof Event>[]> {
  const { items } = z
    .object({ items: z.array(Event) })
    .parse(await cluster.api.ask("GET", "/apis/events.k8s.io/v1/events"));
  return items.filter(({ regarding }) => regarding.name === name);
}

const untilEvent = (name: string, reason: string) =>
  vi.waitFor(
    async () => {
      const found = (await eventsAbout(name)).find((event) => event.reason === reason);
      if (found === undefined) throw new Error(`no Event ${reason} about ${name}`);
      return found;
    },
    { timeout: 90_000, interval: 200 },
  );

/** Status and body of the agent's HTTP endpoint. */
async function ask(path: string): Promise<{ readonly status: number; readonly body: string }> {
  const answer = await cluster.node.namespace.runChecked("curl", [
    ...["-s", "--max-time", "10", "-w", "\n%{http_code}", `http://127.0.0.1:15090${path}`],
  ]);
  const at = answer.lastIndexOf("\n");
  return { status: Number(answer.slice(at + 1)), body: answer.slice(0, at) };
}

describe("the annotation", () => {
  test("is on a member that is captured, and gone when it is one no more", async () => {
    const pod = await run("told");
    await untilAnnotation(pod, "enabled");
    await cluster.labelNamespace(shop, { "istio.io/dataplane-mode": null });
    await cluster.agent.untilLeft(pod);
    await untilAnnotation(pod, undefined);
    await cluster.labelNamespace(shop, MEMBER_LABEL);
    await untilAnnotation(pod, "enabled");
    await cluster.kubelet.removePod(pod);
  });

  test("that its author wrote stays", async () => {
    const pod = await run("author");
    await untilAnnotation(pod, "enabled");
    await cluster.api.patch(nameOf(pod), { metadata: { annotations: { [ANNOTATION]: "disabled" } } });
    await cluster.agent.untilLeft(pod);
    const other = await run("meanwhile");
    await untilAnnotation(other, "enabled");
    await untilAnnotation(pod, "disabled");
    for (const one of [pod, other]) await cluster.kubelet.removePod(one);
  });

  test("is written after an outage", async () => {
    {
      await using _ = await cutOff(cluster, "reset");
      await untilWatches(cluster.agent, "lost");
    }
    const pod = await run("outage");
    await untilAnnotation(pod, "enabled");
    await cluster.kubelet.removePod(pod);
  });
});

test("a pod that cannot be redirected is told of in an Event, and once more when it can", async () => {
  const pods = [await run("one"), await run("two"), await run("three")];
  const tooMany = await cluster.kubelet.runPod({ name: "four", namespace: shop });
  expect(await untilEvent("four", "EnrolmentFailed")).toMatchObject({
    type: "Warning",
    note: expect.stringContaining("ERR_MAP_FULL"),
    reportingController: "millrace.dev/agent",
    regarding: { kind: "Pod", namespace: shop, uid: tooMany.uid },
  });
  for (const pod of pods) await cluster.kubelet.removePod(pod);
  await cluster.agent.untilEnrolled(tooMany);
  expect(await untilEvent("four", "Redirected")).toMatchObject({ type: "Normal" });
  await cluster.kubelet.removePod(tooMany);
});

test("the startup taint is taken off the node, and no other", async () => {
  const taints = async () => ((await cluster.api.get(node)).spec as { taints?: { key: string }[] }).taints;
  await vi.waitFor(async () => expect(await taints()).toEqual([{ key: "gpu", effect: "NoSchedule" }]), SOON);
});

test("without the API server the agent is alive, but not ready, and says why", async () => {
  await vi.waitFor(async () => expect(await ask("/readyz")).toMatchObject({ status: 200 }), SOON);
  {
    await using _ = await cutOff(cluster, "reset");
    await untilWatches(cluster.agent, "lost");
    expect(await ask("/healthz")).toMatchObject({ status: 200 });
    const { status, body } = await ask("/readyz");
    expect(status).toBe(503);
    expect(body).toContain("kubernetes-pods is lost");
    expect((await ask("/metrics")).body).toMatch(/^millrace_watch_synced\{watch="kubernetes-pods"\} 0$/m);
  }
  await untilWatches(cluster.agent, "synced");
  await vi.waitFor(async () => expect(await ask("/readyz")).toMatchObject({ status: 200 }), SOON);
  expect((await ask("/metrics")).body).toMatch(/^millrace_watch_errors_total\{.*watch="kubernetes-pods".*\} [1-9]/m);
});

test("a rule that the role loses is told by name, and the other watches go on", async () => {
  const { agent, api } = cluster;
  const rules = await rulesOf(api);
  await setRules(api, without(rules, "watch", "nodes"));
  try {
    {
      // Watches that are open stay so: they have to be asked for anew.
      await using _ = await cutOff(cluster, "reset");
      await untilWatches(agent, "lost");
    }
    await untilWatches(agent, "synced", ["kubernetes-pods", "kubernetes-namespaces"]);
    const refused = expect.stringMatching(/kubernetes-node is lost: .*403.*cannot watch resource .*nodes/s);
    await vi.waitFor(async () => expect(await ask("/readyz")).toEqual({ status: 503, body: refused }), SOON);
    expect(await ask("/healthz")).toMatchObject({ status: 200 });
    expect((await ask("/metrics")).body).toMatch(
      /^millrace_watch_errors_total\{(?=.*code="HTTP_403")(?=.*watch="kubernetes-node").*\} [1-9]/m,
    );
    const pod = await run("unaffected");
    await untilAnnotation(pod, "enabled");
    await cluster.kubelet.removePod(pod);
  } finally {
    await setRules(api, rules);
  }
  await untilWatches(agent, "synced");
  await vi.waitFor(async () => expect(await ask("/readyz")).toMatchObject({ status: 200 }), SOON);
});

test("members without a node proxy are told of on the node", async () => {
  const pod = await run("proxyless");
  await cluster.kubelet.removePod(cluster.proxy.pod);
  expect(await untilEvent("n1", "NodeProxyMissing")).toMatchObject({ type: "Warning", regarding: { kind: "Node" } });
  await cluster.kubelet.removePod(pod);
});
