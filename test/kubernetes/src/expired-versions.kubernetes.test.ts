import { expect, test } from "vitest";
import { eventsOf, markOf, untilWatches } from "./cluster/agent-view.ts";
import { Cluster } from "./cluster/cluster.ts";
import { cutOff } from "./cluster/cut.ts";
import { nameOf } from "./cluster/kubelet.ts";
import { MEMBER_LABEL } from "./cluster/objects.ts";
import { expectCaptured } from "./cluster/packets.ts";
import { Relay } from "./cluster/relay.ts";

const shop = "shop";

/**
 * Pods come and go while the node hears nothing; `miss` is to make these changes, and the API server forget the versions between. One list
 * later the node knows exactly what changed.
 */
async function expectRelisted(cluster: Cluster, miss: (changes: () => Promise<void>) => Promise<void>): Promise<void> {
  const { agent, api, kubelet, node } = cluster;
  await cluster.addNamespace(shop, MEMBER_LABEL);
  const [stays, goes] = await kubelet.runPods({ name: "stays", namespace: shop }, { name: "goes", namespace: shop });
  await agent.untilEnrolled(stays, goes);
  const before = await markOf(agent);

  let uid = "";
  await miss(async () => {
    await api.delete(nameOf(goes));
    uid = (await kubelet.createObject({ name: "came", namespace: shop })).metadata.uid;
    await cluster.labelNamespace(shop, { changed: "yes" });
  });
  const came = await node.addPod({ name: "came", namespace: shop, uid });
  await kubelet.reportRunning(came);
  await untilWatches(agent, "synced");
  await agent.untilEnrolled(came, stays);
  await agent.untilLeft(goes);
  await expectCaptured(cluster, came);
  await expectCaptured(cluster, stays);

  const removed = (await eventsOf(agent, before)).filter(({ type }) => type.endsWith(".removed"));
  expect(removed.map(({ type, subject }) => `${type} ${subject}`).sort()).toEqual(
    expect.arrayContaining([`pod.removed pod/${goes.uid}`]),
  );
  expect(JSON.stringify(removed)).not.toContain(stays.uid);
  expect(removed.filter(({ type }) => type === "namespace.removed")).toEqual([]);
}

test("410 Gone: a watch that goes to etcd itself is resumed where etcd was compacted", async () => {
  await using cluster = await Cluster.create({ flags: ["--watch-cache=false"] });
  const { account, controlPlane } = cluster;
  const relay = await Relay.start(cluster.host);
  try {
    account.writeKubeconfig(relay.url, controlPlane.certificates.ca.certificate);
    const agent = await cluster.readyAgent();
    await expectRelisted(cluster, async (changes) => {
      // Held up on the way, and then lost: a connection that ends so is resumed at once, and nobody was blind.
      expect(relay.freeze()).toBeGreaterThan(0);
      await changes();
      await controlPlane.etcd.compact();
      relay.cut();
    });
    const told = agent.lines.filter((line) => line.includes("HTTP_410") && line.includes("kubernetes-pods"));
    expect(told).not.toEqual([]);
  } finally {
    await relay.stop();
  }
});

test("the API server is restarted after a compaction, and its cache begins anew", async () => {
  await using cluster = await Cluster.create();
  const agent = await cluster.readyAgent();
  await expectRelisted(cluster, async (changes) => {
    await using _ = await cutOff(cluster, "reset");
    await untilWatches(agent, "lost");
    await changes();
    await cluster.controlPlane.apiServer.stop();
    await cluster.controlPlane.etcd.compact();
    await cluster.controlPlane.apiServer.start();
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
