import { readdirSync } from "node:fs";
import type { LabPod } from "@millrace/conformance";
import { NAMESPACE } from "@millrace/deploy";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { chartObjects } from "./cluster/agent-account.ts";
import { Cluster } from "./cluster/cluster.ts";
import { MEMBER_LABEL } from "./cluster/objects.ts";
import { expectCaptured, expectUntouched } from "./cluster/packets.ts";
import { ClusterError } from "./errors.ts";

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

/** The order in which Helm deletes kinds (helm, `UninstallOrder`), those that the chart has. */
const HELM_ORDER = [
  "DaemonSet",
  "RoleBinding",
  "Role",
  "ClusterRoleBinding",
  "ClusterRole",
  "ConfigMap",
  "ServiceAccount",
];

/** As `helm uninstall` does, up to and with a kind. */
async function uninstallUntil(last: string): Promise<void> {
  for (const kind of HELM_ORDER.slice(0, HELM_ORDER.indexOf(last) + 1)) {
    for (const object of chartObjects().filter((one) => one.kind === kind)) await cluster.api.delete(object);
  }
}

/** The agent's own token at the API server. */
async function statusOfToken(): Promise<number | undefined> {
  using asAgent = cluster.api.as(cluster.account.token);
  try {
    await asAgent.ask("GET", "/api/v1/namespaces");
    return 200;
  } catch (error) {
    return error instanceof ClusterError ? error.status : undefined;
  }
}

test("an agent that is stopped while Helm has deleted its rights, and not yet its account, removes everything", async () => {
  await uninstallUntil("ClusterRole");
  await expect.poll(statusOfToken, { timeout: 30_000 }).toBe(403);
  await cluster.agent.stop();
  await expectUntouched(cluster, pod);
});

test("an agent that is stopped after Helm has deleted its account as well removes everything", async () => {
  await uninstallUntil("ServiceAccount");
  // The API server remembers for ten seconds that the token was good (kube-apiserver, TokenSuccessCacheTTL).
  await expect.poll(statusOfToken, { timeout: 60_000 }).toBe(401);
  await cluster.agent.stop();
  await expectUntouched(cluster, pod);
});

test("an agent that may not read its DaemonSet any more, but all else, leaves members as they are", async () => {
  const binding = chartObjects().find(({ kind }) => kind === "RoleBinding");
  if (binding === undefined) throw new TypeError("the chart has no RoleBinding");
  await cluster.api.delete(binding);
  await cluster.agent.stop();
  await expectCaptured(cluster, pod);
});

test("an agent whose node is not in the cluster any more leaves members as they are", async () => {
  const node = { apiVersion: "v1", kind: "Node", metadata: { name: cluster.node.name } };
  const { spec, metadata } = await cluster.api.get(node);
  await cluster.api.delete(node);
  await cluster.agent.stop();
  await expectCaptured(cluster, pod);
  await cluster.api.create({ ...node, metadata: { ...node.metadata, labels: metadata.labels }, spec });
});

test("an agent whose DaemonSet does not want its node any more removes everything", async () => {
  await cluster.api.patch(daemonSet, { spec: { template: { spec: { nodeSelector: { pool: "other" } } } } });
  await cluster.agent.stop();
  await expectUntouched(cluster, pod);
  await cluster.api.delete(daemonSet); // it would not be applied over somebody else's change
});

// The last one: nothing can be made in that namespace afterwards.
test("an agent whose namespace is being deleted removes everything, though its DaemonSet is still there", async () => {
  await cluster.api.delete({ apiVersion: "v1", kind: "Namespace", metadata: { name: NAMESPACE } });
  expect(await cluster.api.get(daemonSet)).not.toHaveProperty("metadata.deletionTimestamp");
  await cluster.agent.stop();
  await expectUntouched(cluster, pod);
});
