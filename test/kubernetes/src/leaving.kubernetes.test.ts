import { readdirSync } from "node:fs";
import type { LabPod } from "@millrace/conformance";
import { NAMESPACE } from "@millrace/deploy";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { chartObjects } from "./cluster/agent-account.ts";
import { Cluster } from "./cluster/cluster.ts";
import { MEMBER_LABEL } from "./cluster/objects.ts";
import { expectCaptured, expectUntouched } from "./cluster/packets.ts";

const shop = "shop";
const daemonSet = {
  apiVersion: "apps/v1",
  kind: "DaemonSet",
  metadata: { name: "millrace-agent", namespace: NAMESPACE },
};

let cluster: Cluster;
let pod: LabPod;

beforeAll(async () => {
  cluster = await Cluster.create();
  await cluster.addNamespace(shop, MEMBER_LABEL);
  pod = await cluster.kubelet.runPod({ name: "web", namespace: shop });
});

/** Everything installed, and an agent at work. */
beforeEach(async () => {
  for (const object of chartObjects()) await cluster.api.apply(object);
  cluster.account.writeToken(await cluster.account.requestToken(await cluster.account.createPod()));
  await cluster.readyAgent({
    settings: {
      kubernetes: {
        enabled: true,
        kubeconfig: cluster.account.kubeconfig,
        daemonSet: `${NAMESPACE}/${daemonSet.metadata.name}`,
      },
    },
  });
  await cluster.agent.untilEnrolled(pod);
});

afterAll(() => cluster?.[Symbol.asyncDispose]());

test("an agent that is stopped for an upgrade leaves members as they are", async () => {
  await cluster.agent.stop();
  await expectCaptured(cluster, pod);
});

test("an agent that is stopped while the API server is away leaves members as they are", async () => {
  await cluster.controlPlane.apiServer.kill();
  await cluster.agent.stop();
  await cluster.controlPlane.apiServer.start();
  await expectCaptured(cluster, pod);
});

test("an agent whose DaemonSet was deleted removes everything", async () => {
  await cluster.api.delete(daemonSet);
  await cluster.agent.stop();
  await expectUntouched(cluster, pod);
  // What every BPF file system has (kernel/bpf/inode.c, populate_bpffs).
  const pins = readdirSync(cluster.node.paths.bpffs).filter((name) => !name.endsWith(".debug"));
  expect(pins).toEqual([]);
});

test("an agent that is stopped after the whole chart was deleted removes everything", async () => {
  for (const object of chartObjects().toReversed()) await cluster.api.delete(object);
  await cluster.agent.stop();
  await expectUntouched(cluster, pod);
});

test("an agent whose DaemonSet does not want its node any more removes everything", async () => {
  await cluster.api.patch(daemonSet, { spec: { template: { spec: { nodeSelector: { pool: "other" } } } } });
  await cluster.agent.stop();
  await expectUntouched(cluster, pod);
});
