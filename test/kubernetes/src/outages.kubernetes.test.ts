import { Expect, FAMILIES, type LabPod, SteadyDialling, soon } from "@millrace/conformance";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { eventsOf, markOf, untilNoMember, untilWatches, workloadOf } from "./cluster/agent-view.ts";
import { Cluster, SERVER_PORT } from "./cluster/cluster.ts";
import { cutOff } from "./cluster/cut.ts";
import { nameOf } from "./cluster/kubelet.ts";
import { MEMBER_LABEL } from "./cluster/objects.ts";
import { expectCaptured, expectUntouched } from "./cluster/packets.ts";
import { Relay } from "./cluster/relay.ts";
import { WATCHES_STAY } from "./control-plane/api-server.ts";

const shop = "shop";
let cluster: Cluster;
/** It stands for every member: it dials the world all through each outage. */
let steady: LabPod;

beforeAll(async () => {
  cluster = await Cluster.create();
  await cluster.addNamespace(shop, MEMBER_LABEL);
  await cluster.readyAgent({ settings: { cni: { deadlineSeconds: 5 } } });
  steady = await cluster.kubelet.runPod({ name: "steady", namespace: shop });
  await cluster.agent.untilEnrolled(steady);
});

afterAll(() => cluster?.[Symbol.asyncDispose]());

/** An outage in which nothing may happen to members: open streams go on and each new connection goes through the proxy. */
async function unnoticedByMembers<Result>(outage: () => Promise<Result>): Promise<Result> {
  const before = await markOf(cluster.agent);
  const targets = FAMILIES.map((family) => ({ host: cluster.world.address(family), port: SERVER_PORT }));
  const dialling = await SteadyDialling.start(steady, targets);
  let result: Result;
  try {
    result = await outage();
  } finally {
    await dialling.expectUnbroken(new Expect());
  }
  const taken = (await eventsOf(cluster.agent, before)).filter(
    ({ type, subject, data }) =>
      subject.includes(steady.uid) &&
      (type === "pod.removed" || (type === "redirection.requested" && data.action === "remove")),
  );
  expect(taken).toEqual([]);
  return result;
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

test("the API server is asked to end, keeps its watches open, and is killed after its grace period", async () => {
  const { agent, controlPlane } = cluster;
  const { apiServer } = controlPlane;
  await unnoticedByMembers(async () => {
    await apiServer.stop();
    await apiServer.start([WATCHES_STAY]);
    await untilWatches(agent, "synced");
    const before = await markOf(agent);
    await apiServer.stop(3_000);
    await untilWatches(agent, "lost");
    await apiServer.start();
    await untilWatches(agent, "synced");
    expect((await eventsOf(agent, before)).map(({ type }) => type)).not.toContain("pod.removed");
  });
  await expectFollowing("asked");
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

test("pods that are made while the API server is frozen: the known are answered at once, the unknown at the deadline", async () => {
  const { agent, kubelet, node, controlPlane } = cluster;
  await cluster.addNamespace("aside");
  const outsider = await kubelet.createObject({ name: "outsider", namespace: "aside" });
  await untilNoMember(agent, { name: "outsider", uid: outsider.metadata.uid });
  const { uid } = (await kubelet.createObject({ name: "bound", namespace: shop })).metadata;
  await agent.until("the pod that is bound", ({ workloads }) => workloads.some((one) => one.uid === uid));
  await unnoticedByMembers(async () => {
    controlPlane.apiServer.freeze();
    try {
      const bound = await node.addPod({ name: "bound", namespace: shop, uid });
      await node.cni("ADD", bound);
      await expectCaptured(cluster, bound);
      const aside = await node.addPod({ name: "aside", namespace: "aside" });
      await node.cni("ADD", aside);
      await expectUntouched(cluster, aside);
      const unknown = await node.addPod({ name: "unknown", namespace: shop });
      await expect(node.cni("ADD", unknown)).rejects.toThrow(/code 11/);
    } finally {
      controlPlane.apiServer.thaw();
    }
  });
  await expectFollowing("thawed");
});

test("etcd freezes behind the API server", async () => {
  const { etcd, apiServer } = cluster.controlPlane;
  await unnoticedByMembers(async () => {
    etcd.freeze();
    try {
      await expect.poll(() => apiServer.ready(), { timeout: 60_000 }).toBe(false);
      await expectCaptured(cluster, steady);
    } finally {
      etcd.thaw();
    }
    await expect.poll(() => apiServer.ready(), { timeout: 60_000 }).toBe(true);
  });
  await expectFollowing("etcd");
});

test("a connection freezes somewhere on the way: within 30 s there is another", async () => {
  const { agent, account, controlPlane, kubelet } = cluster;
  const relay = await Relay.start(cluster.host);
  const ca = controlPlane.certificates.ca.certificate;
  account.writeKubeconfig(relay.url, ca);
  try {
    {
      await using _ = await cutOff(cluster, "reset");
      await untilWatches(agent, "lost");
    }
    await untilWatches(agent, "synced");
    const before = await markOf(agent);
    await unnoticedByMembers(async () => {
      expect(relay.freeze()).toBeGreaterThan(0);
      const unseen = await kubelet.createObject({ name: "unseen-yet", namespace: shop });
      const known = ({ workloads }: Awaited<ReturnType<typeof agent.status>>) =>
        workloads.some(({ uid }) => uid === unseen.metadata.uid);
      await agent.until("the pod that came meanwhile", known, soon(30_000));
    });
    await untilWatches(agent, "synced");
    const lost = (await eventsOf(agent, before)).filter(({ type }) => type === "watch.lost");
    expect(JSON.stringify(lost)).toMatch(/sign of life/);
  } finally {
    account.writeKubeconfig(controlPlane.apiServer.url, ca);
    await relay.stop();
  }
  await expectFollowing("relayed");
});

test.each(["no route from the node", "no route back", "reset"] as const)(
  "the node is cut off (%s): what changed meanwhile is seen afterwards",
  async (how) => {
    const prefix = { "no route from the node": "from", "no route back": "back", reset: "reset" }[how];
    const { agent, kubelet, api } = cluster;
    const [stays, leaves, ends] = await kubelet.runPods(
      { name: `${prefix}-stays`, namespace: shop },
      { name: `${prefix}-leaves`, namespace: shop },
      { name: `${prefix}-ends`, namespace: shop },
    );
    await agent.untilEnrolled(stays, leaves, ends);
    const came = await unnoticedByMembers(async () => {
      await using _ = await cutOff(cluster, how);
      await untilWatches(agent, "lost");
      await api.delete(nameOf(ends));
      await api.patch(nameOf(leaves), { metadata: { annotations: { "ambient.istio.io/redirection": "disabled" } } });
      const pod = await kubelet.runPod({ name: `${prefix}-came`, namespace: shop });
      await expectCaptured(cluster, stays);
      return pod;
    });
    await untilWatches(agent, "synced");
    await agent.untilEnrolled(came, stays);
    await agent.untilLeft(leaves, ends);
    await expectCaptured(cluster, came);
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

describe("an agent that is killed and started again while the API server is away", () => {
  let sandboxed: LabPod;

  beforeAll(async () => {
    sandboxed = await cluster.kubelet.runPodByCni({ name: "sandboxed", namespace: shop });
    await cluster.controlPlane.apiServer.stop();
    await untilWatches(cluster.agent, "lost");
  });

  afterAll(async () => {
    if (!cluster.controlPlane.apiServer.running) await cluster.controlPlane.apiServer.start();
  });

  test("leaves members as they are, and says what is lost", async () => {
    const { agent } = cluster;
    await unnoticedByMembers(async () => {
      await agent.kill();
      await agent.restart();
      await untilWatches(agent, "lost");
      await agent.untilActive(cluster.proxy.pod);
    });
    expect((await workloadOf(agent, steady))?.reason).toContain("held from an earlier run");
    await expectCaptured(cluster, steady);
  });

  test("answers CNI ADD of a member that the run before had seen", async () => {
    await cluster.node.cni("ADD", steady);
    await cluster.agent.untilEnrolled(steady);
    await expectCaptured(cluster, steady);
  });

  test("captures a member whose sandbox the runtime makes anew from its first packet", async () => {
    const { node } = cluster;
    await node.cni("DEL", sandboxed);
    await node.removePod(sandboxed.name);
    const { name, uid, index } = sandboxed;
    const anew = await node.addPod({ name, namespace: shop, uid, index });
    await node.cni("ADD", anew);
    await expectCaptured(cluster, anew);
  });

  test("lets a pod of a namespace through that has no members", async () => {
    const pod = await cluster.node.addPod({ name: "stranger", namespace: "aside" });
    await cluster.node.cni("ADD", pod);
    await expectUntouched(cluster, pod);
  });

  test("has a pod of a member's namespace wait that nobody has seen: it may want to be left alone", async () => {
    const pod = await cluster.node.addPod({ name: "nobody", namespace: shop });
    await expect(cluster.node.cni("ADD", pod)).rejects.toThrow(/code 11/);
  });

  test("knows everything again after the first list", async () => {
    await cluster.controlPlane.apiServer.start();
    await expectFollowing("remembered");
    await cluster.agent.untilEnrolled(steady);
  });
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
