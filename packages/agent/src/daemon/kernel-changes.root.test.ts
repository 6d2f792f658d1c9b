import { expect, test } from "vitest";
import { type Status, statusSchema } from "../status/status-document.ts";
import { eventually } from "../testing/eventually.ts";
import { objects, PrivateNode } from "../testing/private-node.ts";

/** So long between two timed readings that none falls into the test. */
const SELDOM = { resync: { intervalSeconds: 3_600 } };

const isRight = ({ workloads, proxies, observation }: Status): boolean =>
  workloads.some(({ name, state }) => name === "web" && state === "enrolled") &&
  proxies.some(({ role, state }) => role === "active" && state === "complete") &&
  observation?.problems.length === 0;

test("what the kernel tells of, in the proxy's namespace too, is found and mended without the timer", async () => {
  await using node = await PrivateNode.create({ ...SELDOM, redirectMode: "ebpf" });
  await node.addPod("web", "198.18.77.11");
  await node.addPod("proxy", "198.18.77.20");
  node.manifest(
    "objects",
    objects.namespace("shop", { "istio.io/dataplane-mode": "ambient" }),
    objects.namespace("istio-system"),
    objects.pod("shop", "web", "198.18.77.11"),
    objects.pod("istio-system", "proxy", "198.18.77.20", { app: "ztunnel" }),
  );
  await using agent = node.agent();
  await agent.logged(/drift|ambient Writing ambient config: \{"ztunnelReady":true/, 60_000);
  const status = async () => statusSchema.parse(JSON.parse((await node.millrace(["status", "--json"])).stdout));
  expect(await eventually(status, isRight, 60_000)).toSatisfy(isRight);
  expect(agent.output).not.toContain("drift found");

  await node.exec("ip", "-n", "proxy", "rule", "del", "priority", "20000");
  await agent.logged(/drift found, will be mended.*IPv4 rule 20000 of eth0 is missing.*drift mended/s, 60_000);
  expect(await node.exec("ip", "-n", "proxy", "rule")).toContain("20000:\tfrom all iif eth0 lookup 15001");
});
