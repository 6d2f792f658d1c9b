import { Lab } from "@millrace/conformance";
import { expect, test } from "vitest";
import { Driver, proxyOf, workloadOf } from "./testing/driver.ts";

test("a rule of somebody else that is asked before ours makes its member partial, and nobody else", {
  timeout: 180_000,
}, async () => {
  await using lab = await Lab.create({ nodes: [{ pods: ["m1", "m2"], proxies: ["z1"] }] });
  const node = lab.node(1);
  const [m1, m2] = await Promise.all([workloadOf(lab.pod("m1")), workloadOf(lab.pod("m2"))]);
  await using driver = await Driver.open(node);
  await driver.useProxies({ active: await proxyOf(lab.pod("z1")), draining: [] });
  await Promise.all([driver.apply(m1), driver.apply(m2)]);
  await node.namespace.ip(`rule add priority 10 from ${lab.pod("m1").addresses[4]} lookup 101`);
  const { workloads } = await driver.observe();
  expect(workloads.find(({ uid }) => uid === m2.uid)).toMatchObject({ state: "complete", foreign: [] });
  expect(workloads.find(({ uid }) => uid === m1.uid)).toMatchObject({
    state: "partial",
    problems: [],
    foreign: [
      {
        kind: "ip rule",
        where: `IPv4 priority 10 (from ${lab.pod("m1").addresses[4]} lookup 101)`,
        effect: "it is asked before ours (priority 60) and could send members' packets elsewhere",
      },
    ],
  });
});
