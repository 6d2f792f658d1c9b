import type { LabPod, PodOptions } from "@millrace/conformance";
import { afterAll, beforeAll, expect, test } from "vitest";
import { untilNoMember, untilWatches } from "./cluster/agent-view.ts";
import { Cluster } from "./cluster/cluster.ts";
import { cutOff } from "./cluster/cut.ts";
import { nameOf } from "./cluster/kubelet.ts";
import { MEMBER_LABEL } from "./cluster/objects.ts";
import { expectCaptured, expectUntouched } from "./cluster/packets.ts";

const shop = "shop";
let cluster: Cluster;

beforeAll(async () => {
  cluster = await Cluster.create();
  await cluster.addNamespace(shop, MEMBER_LABEL);
  await cluster.addNamespace("plain");
  await cluster.readyAgent();
});

afterAll(() => cluster?.[Symbol.asyncDispose]());

async function member(name: string): Promise<LabPod> {
  const pod = await cluster.kubelet.runPod({ name, namespace: shop });
  await cluster.agent.untilEnrolled(pod);
  return pod;
}

/** As a StatefulSet does it: the same name and here the same addresses, but another UID and another network namespace. */
async function again(old: LabPod, changes: Partial<PodOptions> = {}): Promise<LabPod> {
  await cluster.kubelet.removePod(old);
  const pod = await cluster.kubelet.runPod({
    name: old.name,
    namespace: old.kubernetesNamespace,
    index: old.index,
    ...changes,
  });
  expect(pod.uid).not.toBe(old.uid);
  expect(pod.addresses).toEqual(old.addresses);
  return pod;
}

test("a member that comes again under its name and addresses is a member", async () => {
  const old = await member("db-0");
  const fresh = await again(old);
  await cluster.agent.untilEnrolled(fresh);
  await cluster.agent.untilLeft(old);
  await expectCaptured(cluster, fresh);
});

test("one that comes again five times in a row ends as a member", async () => {
  let pod = await member("db-1");
  for (let time = 0; time < 5; time++) pod = await again(pod);
  await cluster.agent.untilEnrolled(pod);
  await expectCaptured(cluster, pod);
});

test("one that comes again and wants out is left alone", async () => {
  const old = await member("db-2");
  const fresh = await again(old, { annotations: { "ambient.istio.io/redirection": "disabled" } });
  await untilNoMember(cluster.agent, fresh);
  await cluster.agent.untilLeft(old);
  await expectUntouched(cluster, fresh);
});

test("its addresses in a namespace without the label are left alone", async () => {
  const old = await member("db-3");
  const fresh = await again(old, { namespace: "plain" });
  await untilNoMember(cluster.agent, fresh);
  await cluster.agent.untilLeft(old);
  await expectUntouched(cluster, fresh);
});

test("one that comes again while the node is cut off is another one afterwards", async () => {
  const old = await member("db-4");
  let fresh: LabPod;
  {
    await using _ = await cutOff(cluster, "reset");
    await untilWatches(cluster.agent, "lost");
    fresh = await again(old);
  }
  await untilWatches(cluster.agent, "synced");
  await cluster.agent.untilEnrolled(fresh);
  await cluster.agent.untilLeft(old);
  await expectCaptured(cluster, fresh);
});

test("the old object goes after the new pod has its addresses", async () => {
  const old = await member("db-5");
  await cluster.node.removePod(old.name);
  const fresh = await cluster.kubelet.runPod({ name: "db-6", namespace: shop, index: old.index });
  await cluster.api.delete(nameOf(old));
  await cluster.agent.untilLeft(old);
  await cluster.agent.untilEnrolled(fresh);
  await expectCaptured(cluster, fresh);
});
