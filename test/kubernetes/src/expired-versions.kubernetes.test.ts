import type { LabPod } from "@millrace/conformance";
import { describe, expect, test } from "vitest";
import { eventsOf, markOf, untilWatches } from "./cluster/agent-view.ts";
import { Cluster } from "./cluster/cluster.ts";
import { cutOff } from "./cluster/cut.ts";
import { MEMBER_LABEL } from "./cluster/objects.ts";
import { expectCaptured } from "./cluster/packets.ts";

const shop = "shop";

/**
 * The node is cut off, pods come and go, `forget` makes the API server lose the versions between, and the node comes back: its watch is told
 * 410, and one list later it knows exactly what changed.
 */
async function expectRelisted(cluster: Cluster, forget: () => Promise<void>): Promise<void> {
  await cluster.addNamespace(shop, MEMBER_LABEL);
  const agent = await cluster.readyAgent();
  const [stays, goes] = await cluster.kubelet.runPods(
    { name: "stays", namespace: shop },
    { name: "goes", namespace: shop },
  );
  await agent.untilEnrolled(stays, goes);
  const before = await markOf(agent);

  let came: LabPod;
  {
    await using _ = await cutOff(cluster, "reset");
    await untilWatches(agent, "lost");
    await cluster.kubelet.removePod(goes);
    came = await cluster.kubelet.runPod({ name: "came", namespace: shop });
    await cluster.labelNamespace(shop, { changed: "yes" });
    await forget();
    await expectCaptured(cluster, stays);
  }
  await untilWatches(agent, "synced");
  await agent.untilEnrolled(came, stays);
  await agent.untilLeft(goes);
  await expectCaptured(cluster, came);
  await expectCaptured(cluster, stays);

  expect(agent.lines.filter((line) => line.includes("HTTP_410") && line.includes("kubernetes-pods"))).not.toEqual([]);
  const removed = (await eventsOf(agent, before)).filter(({ type }) => type.endsWith(".removed"));
  expect(removed.map(({ type, subject }) => `${type} ${subject}`).sort()).toEqual(
    expect.arrayContaining([`pod.removed pod/${goes.uid}`]),
  );
  expect(JSON.stringify(removed)).not.toContain(stays.uid);
  expect(removed.filter(({ type }) => type === "namespace.removed")).toEqual([]);
}

describe("410 Gone", () => {
  test("after a compaction of etcd, where watches go to etcd itself", async () => {
    await using cluster = await Cluster.create({ flags: ["--watch-cache=false"] });
    await expectRelisted(cluster, async () => void (await cluster.controlPlane.etcd.compact()));
  });

  test("after a restart of the API server, whose cache begins anew", async () => {
    await using cluster = await Cluster.create();
    await expectRelisted(cluster, async () => {
      await cluster.controlPlane.apiServer.stop();
      await cluster.controlPlane.etcd.compact();
      await cluster.controlPlane.apiServer.start();
    });
  });
});

test("a version from the future: etcd is restored from a backup, and its count begins anew", async () => {
  await using cluster = await Cluster.create();
  const { controlPlane, kubelet } = cluster;
  const { etcd, apiServer } = controlPlane;
  await cluster.addNamespace(shop, MEMBER_LABEL);
  // The API server says nothing to a watch from a version that it has not seen: it is the silence that is noticed.
  const kubernetes = { enabled: true, kubeconfig: cluster.account.kubeconfig, watch: { silenceSeconds: 5 } };
  const agent = await cluster.readyAgent({ settings: { kubernetes } });
  const stays = await kubelet.runPod({ name: "stays", namespace: shop });
  await agent.untilEnrolled(stays);

  await apiServer.stop();
  await etcd.stop();
  etcd.backUp();
  await etcd.start();
  await apiServer.start();
  for (let change = 0; change < 200; change++) await cluster.labelNamespace(shop, { changed: String(change) });
  const lost = await kubelet.runPod({ name: "lost", namespace: shop });
  await agent.untilEnrolled(lost);
  await untilWatches(agent, "synced");

  await apiServer.stop();
  await etcd.stop();
  etcd.restore();
  await etcd.start();
  await apiServer.start();
  const came = await kubelet.runPod({ name: "came", namespace: shop });
  await agent.untilEnrolled(came, stays);
  await agent.untilLeft(lost);
  await expectCaptured(cluster, came);
  await expectCaptured(cluster, stays);
});
