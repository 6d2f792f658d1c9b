import { NAMESPACE } from "@millrace/deploy";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parse } from "yaml";
import { z } from "zod";
import { eventsOf, markOf, untilWatches } from "./cluster/agent-view.ts";
import { asInPod, type InPod } from "./cluster/as-in-pod.ts";
import { Cluster } from "./cluster/cluster.ts";
import { cutOff } from "./cluster/cut.ts";
import { podName } from "./cluster/kubelet.ts";
import { MEMBER_LABEL } from "./cluster/objects.ts";
import { expectCaptured } from "./cluster/packets.ts";

const ChartConfig = z.looseObject({ kubernetes: z.unknown(), manifests: z.unknown(), membership: z.unknown() });

let cluster: Cluster;
let pod: InPod;

beforeAll(async () => {
  cluster = await Cluster.create();
  await cluster.addNamespace("shop", MEMBER_LABEL);
  pod = asInPod({ account: cluster.account.directory, apiServer: cluster.host.address(4) });
  const map = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "millrace-agent", namespace: NAMESPACE } };
  const { data } = z.looseObject({ data: z.record(z.string(), z.string()) }).parse(await cluster.api.get(map));
  const { kubernetes, manifests, membership } = ChartConfig.parse(parse(data["config.yaml"] ?? ""));
  await cluster.readyAgent({ command: pod.command, settings: { kubernetes, manifests, membership } });
});

afterAll(async () => {
  await cluster?.[Symbol.asyncDispose]();
  pod?.[Symbol.dispose]();
});

test("with the chart's configuration and the account that is mounted into its pod, the agent enrols a pod", async () => {
  await untilWatches(cluster.agent, "synced");
  const web = await cluster.kubelet.runPod({ name: "web", namespace: "shop" });
  await cluster.agent.untilEnrolled(web);
  await expectCaptured(cluster, web);
});

test("a pod that is made while the CNI plugin asks the agent is captured from its first packet", async () => {
  const web = await cluster.kubelet.runPodByCni({ name: "cni", namespace: "shop" });
  await expectCaptured(cluster, web);
});

test("the kubelet's rotation of the token is followed", async () => {
  const { account, agent, api } = cluster;
  const before = await markOf(agent);
  const successor = await account.createPod();
  account.writeToken(await account.requestToken(successor));
  await api.delete(podName({ name: "millrace-agent-1", namespace: NAMESPACE }));
  {
    await using _ = await cutOff(cluster, "reset");
    await untilWatches(agent, "lost");
  }
  await untilWatches(agent, "synced");
  expect(JSON.stringify(await eventsOf(agent, before))).not.toContain("401");
});
