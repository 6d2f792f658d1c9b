import { setTimeout as sleep } from "node:timers/promises";
import { Expect, FAMILIES, type LabPod, SteadyDialling, soon } from "@millrace/conformance";
import { afterAll, beforeAll, expect, test } from "vitest";
import { eventsOf, untilWatches } from "./cluster/agent-view.ts";
import { Churn } from "./cluster/churn.ts";
import { Cluster, SERVER_PORT } from "./cluster/cluster.ts";
import { MEMBER_LABEL } from "./cluster/objects.ts";

const shop = "shop";
const SECONDS = Number(process.env.MILLRACE_SOAK_SECONDS || 90);
const RESTART_EVERY_MS = 20_000;
const CHURNING = 20;
/** From the moment at which the API server is there again until the agent knows all that it knows. */
const CONVERGED_WITHIN_MS = 5_000;

let cluster: Cluster;
let steady: LabPod;

beforeAll(async () => {
  cluster = await Cluster.create();
  await cluster.addNamespace(shop, MEMBER_LABEL);
  await cluster.readyAgent({ settings: { cni: { deadlineSeconds: 5 } } });
  steady = await cluster.kubelet.runPod({ name: "steady", namespace: shop });
  await cluster.agent.untilEnrolled(steady);
});

afterAll(() => cluster?.[Symbol.asyncDispose]());

test(
  `${SECONDS} s of restarts of the API server while pods come and go: no member is ever uncaptured`,
  async () => {
    const { agent, controlPlane, world } = cluster;
    const { apiServer } = controlPlane;
    const targets = FAMILIES.map((family) => ({ host: world.address(family), port: SERVER_PORT }));
    const churn = await Churn.start(cluster, shop, CHURNING);
    const dialling = await SteadyDialling.start(steady, targets);
    const until = performance.now() + SECONDS * 1_000;
    let restarts = 0;
    for (; performance.now() < until; restarts++) {
      const next = Math.min(performance.now() + RESTART_EVERY_MS, until);
      await (restarts % 2 === 0 ? apiServer.stop() : apiServer.kill());
      await apiServer.start();
      await sleep(Math.max(0, next - performance.now()));
    }
    await churn.stop();

    await apiServer.kill();
    await apiServer.start();
    const ready = performance.now();
    await untilWatches(agent, "synced");
    await agent.untilEnrolled(steady, ...churn.pods);
    const convergedMs = Math.round(performance.now() - ready);
    await dialling.expectUnbroken(new Expect());

    const { workloads } = await agent.status();
    const enrolled = workloads.filter(({ state }) => state === "enrolled").map(({ uid }) => uid);
    expect(enrolled.sort()).toEqual([steady, ...churn.pods].map(({ uid }) => uid).sort());
    const events = await eventsOf(agent);
    const ofSteady = events.filter(({ type, subject }) => type === "pod.removed" && subject.includes(steady.uid));
    expect(ofSteady).toEqual([]);
    console.log(`${restarts + 1} restarts, ${churn.made} pods, converged ${convergedMs} ms after the last one`);
    expect(convergedMs).toBeLessThan(soon(CONVERGED_WITHIN_MS));
  },
  SECONDS * 1_000 + 240_000,
);
