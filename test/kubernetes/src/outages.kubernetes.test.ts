import { Expect, FAMILIES, type LabPod, SteadyDialling } from "@millrace/conformance";
import { afterAll, beforeAll, expect, test } from "vitest";
import { eventsOf, markOf, untilNoMember, untilWatches } from "./cluster/agent-view.ts";
import { Cluster, SERVER_PORT } from "./cluster/cluster.ts";
import { cutOff } from "./cluster/cut.ts";
import { nameOf } from "./cluster/kubelet.ts";
import { MEMBER_LABEL } from "./cluster/objects.ts";
import { expectCaptured, expectUntouched } from "./cluster/packets.ts";

const shop = "shop";
let cluster: Cluster;
/** It stands for every member: it dials the world all through each outage. */
let steady: LabPod;

beforeAll(async () => {
  cluster = await Cluster.create();
  await cluster.addNamespace(shop, MEMBER_LABEL);
  await cluster.readyAgent();
  steady = await cluster.kubelet.runPod({ name: "steady", namespace: shop });
  await cluster.agent.untilEnrolled(steady);
});

afterAll(() => cluster?.[Symbol.asyncDispose]());

/** An outage in which nothing may happen to members: open streams go on and each new connection goes through the proxy. */
async function unnoticedByMembers(outage: () => Promise<void>): Promise<void> {
  const before = await markOf(cluster.agent);
  const targets = FAMILIES.map((family) => ({ host: cluster.world.address(family), port: SERVER_PORT }));
  const dialling = await SteadyDialling.start(steady, targets);
  try {
    await outage();
  } finally {
    await dialling.expectUnbroken(new Expect());
  }
  const taken = (await eventsOf(cluster.agent, before)).filter(
    ({ type, subject }) => subject.includes(steady.uid) && (type === "pod.removed" || type === "redirection.requested"),
  );
  expect(taken).toEqual([]);
}

/** Whatever was: what is asked of the API server from now on reaches the node. */
async function expectFollowing(name: string): Promise<void> {
  await untilWatches(cluster.agent, "synced");
  const pod = await cluster.kubelet.runPod({ name, namespace: shop });
  await cluster.agent.untilEnrolled(pod);
  await expectCaptured(cluster, pod);
}

test("the API server is restarted in order", async () => {
  await unnoticedByMembers(async () => {
    await cluster.controlPlane.apiServer.stop();
    await untilWatches(cluster.agent, "lost");
    await cluster.controlPlane.apiServer.start();
    await untilWatches(cluster.agent, "synced");
  });
  await expectFollowing("restarted");
});

test("the API server is killed", async () => {
  await unnoticedByMembers(async () => {
    await cluster.controlPlane.apiServer.kill();
    const reasons = await untilWatches(cluster.agent, "lost");
    expect(reasons.join()).toContain("cannot be reached");
    await cluster.controlPlane.apiServer.start();
    await untilWatches(cluster.agent, "synced");
  });
  await expectFollowing("killed");
});

test("the API server freezes: the silence is noticed, and it is asked again when it thaws", async () => {
  const { apiServer } = cluster.controlPlane;
  await unnoticedByMembers(async () => {
    apiServer.freeze();
    try {
      await untilWatches(cluster.agent, "lost");
    } finally {
      apiServer.thaw();
    }
    await untilWatches(cluster.agent, "synced");
  });
  await expectFollowing("frozen");
});

test("etcd freezes behind the API server", async () => {
  const { etcd } = cluster.controlPlane;
  await unnoticedByMembers(async () => {
    etcd.freeze();
    try {
      // The API server's cache answers for some time; what matters is that nothing is made of what it cannot.
      await new Promise((resolve) => setTimeout(resolve, 15_000));
    } finally {
      etcd.thaw();
    }
  });
  await expectFollowing("etcd");
});

test.each(["no route from the node", "no route back", "reset"] as const)(
  "the node is cut off (%s): what changed meanwhile is seen afterwards",
  async (how) => {
    const prefix = how.replaceAll(/[a-z]+/g, (word) => word[0] as string).replaceAll(" ", "");
    const { agent, kubelet, api } = cluster;
    const [goes, leaves, ends] = await kubelet.runPods(
      ...["-goes", "-leaves", "-ends"].map((name) => ({ name: `${prefix}${name}`, namespace: shop })),
    );
    if (goes === undefined || leaves === undefined || ends === undefined) throw new Error("there are three pods");
    await agent.untilEnrolled(goes, leaves, ends);
    let came: LabPod | undefined;
    await unnoticedByMembers(async () => {
      await using _ = await cutOff(cluster, how);
      await untilWatches(agent, "lost");
      await api.delete(nameOf(ends));
      await api.patch(nameOf(leaves), { metadata: { annotations: { "ambient.istio.io/redirection": "disabled" } } });
      came = await kubelet.runPod({ name: `${prefix}-came`, namespace: shop });
      await expectCaptured(cluster, goes);
    });
    await untilWatches(agent, "synced");
    await agent.untilEnrolled(came as unknown as LabPod, goes);
    await agent.untilLeft(leaves, ends);
    await expectCaptured(cluster, came as unknown as LabPod);
    await expectUntouched(cluster, leaves);
  },
);

test("labels that were taken away and put back while nobody looked change nothing", async () => {
  const { agent } = cluster;
  await unnoticedByMembers(async () => {
    await using _ = await cutOff(cluster, "reset");
    await untilWatches(agent, "lost");
    await cluster.labelNamespace(shop, { "istio.io/dataplane-mode": null });
    await cluster.labelNamespace(shop, MEMBER_LABEL);
  });
  await untilWatches(agent, "synced");
  await expectCaptured(cluster, steady);
});

test("an agent that is killed and started again while the API server is away goes on with what its log knows", async () => {
  const { agent, controlPlane } = cluster;
  await controlPlane.apiServer.stop();
  await untilWatches(agent, "lost");
  await unnoticedByMembers(async () => {
    await agent.kill();
    await agent.restart();
    await untilWatches(agent, "lost");
    await agent.untilEnrolled(steady);
    await agent.untilActive(cluster.proxy.pod);
  });
  await controlPlane.apiServer.start();
  await expectFollowing("remembered");
});

test("what was deleted while neither the agent nor its watch was there is gone after the first list", async () => {
  const { agent, kubelet } = cluster;
  const pod = await kubelet.runPod({ name: "unseen", namespace: shop });
  await agent.untilEnrolled(pod);
  await agent.stop();
  await kubelet.removePod(pod);
  await agent.restart();
  await agent.untilLeft(pod);
  await untilWatches(agent, "synced");
  await expectCaptured(cluster, steady);
});

test("a namespace whose label went while the agent was away has no members afterwards", async () => {
  const { agent, kubelet } = cluster;
  await cluster.addNamespace("brief", MEMBER_LABEL);
  const pod = await kubelet.runPod({ name: "brief", namespace: "brief" });
  await agent.untilEnrolled(pod);
  await agent.stop();
  await cluster.labelNamespace("brief", { "istio.io/dataplane-mode": null });
  await agent.restart();
  await untilNoMember(agent, pod);
  await agent.untilLeft(pod);
  await expectUntouched(cluster, pod);
});
