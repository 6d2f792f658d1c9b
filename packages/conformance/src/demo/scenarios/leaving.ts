import { existsSync, readdirSync } from "node:fs";
import { FAMILIES } from "../../lab/addresses.ts";
import { compareSnapshots, snapshot } from "../../snapshot/snapshot.ts";
import { expect, expectSame, type Scenario } from "../scenario.ts";
import type { Stage } from "../stage.ts";

async function handover(stage: Stage): Promise<string[]> {
  const node = stage.lab.node(2);
  const agent = stage.agent(2);
  const client = await stage.api.endpoint();
  const targets = FAMILIES.map((family) => ({ host: stage.world.address(family), port: 8081 }));
  await (await stage.world.endpoint()).listen(8081);
  const streams = await client.ask("startStreams", { targets, intervalMs: 20 });
  const load = client.ask("load", { targets, rate: 100, seconds: 4 });
  const next = await stage.addProxy(node, "ztunnel-3");
  await agent.untilActive(next.pod);
  const loaded = await load;
  const kept = await client.ask("stopStreams", streams);
  expectSame("connections that failed", loaded.failures, []);
  for (const stream of kept) expect(stream.failure === undefined, `stream to ${stream.host} broke: ${stream.failure}`);
  const mark = next.mark();
  await client.ask("report", { host: stage.world.address(4), port: 8081 });
  const taken = await next.awaitRecords({ frontend: "outbound", source: stage.api.address(4) }, mark);
  expectSame("connections that the new proxy took", taken.length, 1);
  return [
    `${loaded.succeeded} of ${loaded.attempts} new connections succeeded across the change`,
    `${kept.length} open connections went on with the old proxy (${kept.map(({ rounds }) => rounds).join(" and ")} rounds)`,
  ];
}

async function unenrol(stage: Stage): Promise<string[]> {
  const node = stage.lab.node(1);
  node.applyPod(stage.cart, { annotations: { "ambient.istio.io/redirection": "disabled" } });
  await stage.agent(1).untilLeft(stage.cart);
  expectSame("objects of ours that are its", await stage.mode.objectsOfPod(stage, stage.cart), []);
  const mark = stage.proxy(1).mark();
  for (const family of FAMILIES) {
    const seen = await stage.get(stage.cart, stage.db.address(family));
    expectSame("the server's peer", seen.peer, stage.cart.address(family));
  }
  expectSame("connections that the proxy took", stage.proxy(1).describe(mark), []);
  return ["nothing of ours is left for it; TCP goes straight in both families"];
}

async function reenrol(stage: Stage): Promise<string[]> {
  stage.lab.node(1).applyPod(stage.cart);
  await stage.agent(1).untilEnrolled(stage.cart);
  const mark = stage.proxy(1).mark();
  await stage.get(stage.cart, stage.db.address(6));
  const taken = await stage.proxy(1).awaitRecords({ frontend: "outbound", source: stage.cart.address(6) }, mark);
  expectSame("connections that the proxy took", taken.length, 1);
  return stage.proxy(1).describe(mark);
}

async function uninstall(stage: Stage, number: 1 | 2): Promise<string[]> {
  const node = stage.lab.node(number);
  const before = stage.before.get(node);
  expect(before !== undefined, `no snapshot of ${node.name}`);
  await stage.agent(number).stop();
  if (node.pods.some(({ name }) => name === "ztunnel-3")) await stage.removeProxy(node, "ztunnel-3");
  const { status, stdout, stderr } = await stage.agent(number).millrace("uninstall", "--purge");
  expect(status === 0, `millrace uninstall ended with ${status}: ${stdout}${stderr}`);
  const left = compareSnapshots(before, await snapshot(node));
  expectSame("differences to the state before the agent was there", left, []);
  const { ambientConfig, eventLog, sockets } = node.paths;
  for (const file of [ambientConfig, eventLog]) expect(!existsSync(file), `${file} is still there`);
  expectSame("files beside the sockets", existsSync(sockets) ? readdirSync(sockets) : [], []);
  return stdout.trimEnd().split("\n");
}

/** The ways out: a proxy is replaced, a pod leaves the mesh, Millrace leaves the node. */
export const leavingScenarios: readonly Scenario[] = [
  {
    name: "proxy-handover",
    title: "a new proxy takes over: no connection fails, open ones stay with the old",
    show: handover,
  },
  { name: "unenrol", title: "a pod leaves the mesh: its traffic is its own again", show: unenrol },
  { name: "enrol-again", title: "and comes back", show: reenrol },
  { name: "uninstall-1", title: "uninstall leaves node 1 as it was", show: (stage) => uninstall(stage, 1) },
  { name: "uninstall-2", title: "uninstall leaves node 2 as it was", show: (stage) => uninstall(stage, 2) },
];
