import { NAMESPACE } from "@millrace/deploy";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { untilWatches } from "./cluster/agent-view.ts";
import { Cluster } from "./cluster/cluster.ts";
import { cutOff } from "./cluster/cut.ts";
import { podName } from "./cluster/kubelet.ts";
import { MEMBER_LABEL } from "./cluster/objects.ts";
import { claimsOf, reissue } from "./cluster/own-token.ts";
import { expectCaptured } from "./cluster/packets.ts";
import type { StoredObject } from "./control-plane/api-client.ts";

const shop = "shop";
let cluster: Cluster;
let agentPod: StoredObject;

beforeAll(async () => {
  cluster = await Cluster.create();
  await cluster.addNamespace(shop, MEMBER_LABEL);
  agentPod = await cluster.account.createPod();
  // Each watch is asked for anew every second or two: so a token that is not valid any more shows soon.
  await cluster.readyAgent({
    settings: { kubernetes: { enabled: true, kubeconfig: cluster.account.kubeconfig, watch: { timeoutSeconds: 2 } } },
  });
});

beforeEach(async () => {
  cluster.account.writeToken(await cluster.account.requestToken(agentPod));
  await untilWatches(cluster.agent, "synced");
});

afterAll(() => cluster?.[Symbol.asyncDispose]());

/** All three watches have been asked for anew. */
async function reconnected(): Promise<void> {
  {
    await using _ = await cutOff(cluster, "reset");
    await untilWatches(cluster.agent, "lost");
  }
  await untilWatches(cluster.agent, "synced");
}

let pods = 0;

async function expectFollowing(): Promise<void> {
  const pod = await cluster.kubelet.runPod({ name: `follow-${++pods}`, namespace: shop });
  await cluster.agent.untilEnrolled(pod);
  await expectCaptured(cluster, pod);
}

test("the token is of the chart's account, and bound to the agent's pod and node", () => {
  expect(claimsOf(cluster.account.token)).toMatchObject({
    sub: `system:serviceaccount:${NAMESPACE}:millrace-agent`,
    "kubernetes.io": { namespace: NAMESPACE, node: { name: "n1" }, pod: { uid: agentPod.metadata.uid } },
  });
});

test("a token that is rotated is used from the next request on; the one before may end at once", async () => {
  const second = await cluster.account.createPod();
  const token = await cluster.account.requestToken(second);
  const { agent, api, account } = cluster;
  const lines = agent.lines.length;
  account.writeToken(token);
  await api.delete(podName(agentPod.metadata));
  agentPod = second;
  await reconnected();
  await expectFollowing();
  expect(agent.lines.slice(lines).filter((line) => line.includes("HTTP_401"))).toEqual([]);
});

test("an expired token is told as such, members stay, and its successor is found without a restart", async () => {
  const { agent, account, controlPlane, kubelet } = cluster;
  const pod = await kubelet.runPod({ name: "before", namespace: shop });
  await agent.untilEnrolled(pod);
  const now = Math.floor(Date.now() / 1_000);
  const claims = { iat: now - 3_600, nbf: now - 3_600, exp: now - 1_800 };
  account.writeToken(reissue(account.token, claims, controlPlane.certificates.accounts.key));
  const reasons = await untilWatches(agent, "lost");
  expect(reasons.join()).toContain("401");
  expect(reasons.join()).toContain("expired");
  await expectCaptured(cluster, pod);
  account.writeToken(await account.requestToken(agentPod));
  await untilWatches(agent, "synced");
  await expectFollowing();
});

test("a token that was signed by a key of ours with the right claims would be taken: the one above was refused for its date", async () => {
  const { account, controlPlane, agent } = cluster;
  const lines = agent.lines.length;
  account.writeToken(reissue(account.token, {}, controlPlane.certificates.accounts.key));
  await reconnected();
  await expectFollowing();
  expect(agent.lines.slice(lines).filter((line) => line.includes("HTTP_401"))).toEqual([]);
});

test("a token ends with the pod that it is bound to", async () => {
  const { agent, account, api } = cluster;
  await api.delete(podName(agentPod.metadata));
  const reasons = await untilWatches(agent, "lost");
  expect(reasons.join()).toContain("401");
  agentPod = await account.createPod();
  account.writeToken(await account.requestToken(agentPod));
  await untilWatches(agent, "synced");
  await expectFollowing();
});

test("a token file that is empty for a moment takes nothing away", async () => {
  const { agent, account } = cluster;
  const { token } = account;
  account.writeToken("");
  await untilWatches(agent, "lost");
  account.writeToken(token);
  await untilWatches(agent, "synced");
  await expectFollowing();
});

test("a role that is taken away is told by name, and used again as soon as it is back", async () => {
  const { agent, api, kubelet } = cluster;
  const pod = await kubelet.runPod({ name: "bound", namespace: shop });
  await agent.untilEnrolled(pod);
  const name = { apiVersion: "rbac.authorization.k8s.io/v1", kind: "ClusterRoleBinding" };
  const metadata = { name: `millrace-agent-${NAMESPACE}` };
  const binding = await api.get({ ...name, metadata });
  await api.delete({ ...name, metadata });
  const reasons = await untilWatches(agent, "lost");
  expect(reasons.join()).toContain("403");
  expect(reasons.join()).toContain(`system:serviceaccount:${NAMESPACE}:millrace-agent`);
  await expectCaptured(cluster, pod);
  await api.create({ ...name, metadata, roleRef: binding.roleRef, subjects: binding.subjects });
  await untilWatches(agent, "synced");
  await expectFollowing();
});

test("a certificate of another authority is refused: no token is sent to whoever answers", async () => {
  const { agent, account, controlPlane } = cluster;
  const { url } = controlPlane.apiServer;
  const { ca, admin } = controlPlane.certificates;
  const lines = agent.lines.length;
  account.writeKubeconfig(url, admin.certificate);
  {
    await using _ = await cutOff(cluster, "reset");
    await untilWatches(agent, "lost");
  }
  const refused = () => agent.lines.slice(lines).some((line) => /certificate|self-signed|issuer/i.test(line));
  await expect.poll(refused, { timeout: 60_000 }).toBe(true);
  account.writeKubeconfig(url, ca.certificate);
  await untilWatches(agent, "synced");
});
