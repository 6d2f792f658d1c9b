import { setTimeout as sleep } from "node:timers/promises";
import { Expect, FAMILIES, type LabPod, SteadyDialling } from "@millrace/conformance";
import { afterAll, beforeAll, expect, test } from "vitest";
import { eventsOf, markOf, untilWatches } from "./cluster/agent-view.ts";
import { Cluster, SERVER_PORT } from "./cluster/cluster.ts";
import { nameOf, podName } from "./cluster/kubelet.ts";
import { MEMBER_LABEL, podObject } from "./cluster/objects.ts";
import { expectCaptured } from "./cluster/packets.ts";

const shop = "shop";
/** Of this node, which the lab gives networks, and of the others, which are objects only. */
const HERE = 250;
const ELSEWHERE = 4_750;
const FLIP_EVERY_MS = 10;
/** What a loaded machine needs for 250 enrolments and as many networks. */
const LONG_MS = 300_000;

let cluster: Cluster;
let pods: readonly LabPod[];

beforeAll(async () => {
  cluster = await Cluster.create();
  await cluster.addNamespace(shop, MEMBER_LABEL);
  const here = Array.from({ length: HERE }, (_, index) => ({ name: `m${index}`, namespace: shop }));
  const elsewhere = Array.from({ length: ELSEWHERE }, (_, index) =>
    podObject({ name: `far-${index}`, namespace: shop, nodeName: `far-${index % 50}` }),
  );
  // The first are asked for first, so that their networks are made while the API server takes in the others.
  [pods] = await Promise.all([
    cluster.kubelet.runPods(...here),
    Promise.all(elsewhere.map((pod) => cluster.api.create(pod))),
  ]);
  await cluster.readyAgent();
}, LONG_MS);

afterAll(() => cluster?.[Symbol.asyncDispose]());

const first = (): LabPod => pods[0] as LabPod;
const last = (): LabPod => pods.at(-1) as LabPod;

const enrolled = () =>
  cluster.agent.until(
    `${HERE} members`,
    ({ workloads }) => workloads.filter(({ state }) => state === "enrolled").length === HERE,
    LONG_MS,
  );

test(
  "of 5,000 pods in the cluster the agent knows the 250 of its node, and enrols them all",
  async () => {
    const { workloads } = await enrolled();
    // And that of the proxy, and its own.
    expect(workloads.filter(({ namespace }) => namespace !== shop).map(({ namespace }) => namespace)).toHaveLength(2);
    const here = workloads.filter(({ namespace }) => namespace === shop).map(({ uid }) => uid);
    expect(here.sort()).toEqual(pods.map(({ uid }) => uid).sort());
    await expectCaptured(cluster, first());
    await expectCaptured(cluster, last());
  },
  LONG_MS,
);

/** What the agent writes on its members comes back to it as changes of theirs. */
async function annotated(): Promise<void> {
  const seen = async () => {
    const events = await eventsOf(cluster.agent, 0);
    const pods = events.filter(({ type, data }) => {
      const { annotations } = data as { annotations?: Readonly<Record<string, string>> };
      return type === "pod.observed" && annotations?.["ambient.istio.io/redirection"] === "enabled";
    });
    return new Set(pods.map(({ subject }) => subject)).size;
  };
  await expect.poll(seen, { timeout: LONG_MS, interval: 500 }).toBe(HERE);
}

test(
  "changes of other nodes' pods do not reach it",
  async () => {
    await annotated();
    const before = await markOf(cluster.agent);
    const labels = { metadata: { labels: { changed: "yes" } } };
    await Promise.all(
      Array.from({ length: 200 }, (_, index) =>
        cluster.api.patch(podName({ name: `far-${index}`, namespace: shop }), labels),
      ),
    );
    await cluster.api.patch(nameOf(first()), {
      metadata: { annotations: { "millrace.dev/exclude-outbound-ports": "1" } },
    });
    const seen = async () => (await eventsOf(cluster.agent, before)).filter(({ type }) => type === "pod.observed");
    await expect.poll(seen, { timeout: 60_000 }).toMatchObject([{ subject: `pod/${first().uid}` }]);
  },
  LONG_MS,
);

test(
  "100 label flips a second for ten seconds: it ends as the last of them says, and no other member notices",
  async () => {
    const { agent } = cluster;
    await enrolled();
    await cluster.addNamespace("flips");
    const flipped = await cluster.kubelet.runPod({ name: "flipped", namespace: "flips" });
    const targets = FAMILIES.map((family) => ({ host: cluster.world.address(family), port: SERVER_PORT }));
    const dialling = await SteadyDialling.start(last(), targets);
    const started = performance.now();
    let flips = 0;
    for (const until = started + 10_000; performance.now() < until || flips % 2 === 0; flips++) {
      const value = flips % 2 === 0 ? MEMBER_LABEL["istio.io/dataplane-mode"] : null;
      const flip = cluster.labelNamespace("flips", { "istio.io/dataplane-mode": value });
      // By the clock, so that a slow one is made up for.
      await Promise.all([flip, sleep(Math.max(0, started + flips * FLIP_EVERY_MS - performance.now()))]);
    }
    // The last one, an odd number of them, made it a member.
    await agent.untilEnrolled(flipped);
    await expectCaptured(cluster, flipped);
    await cluster.labelNamespace("flips", { "istio.io/dataplane-mode": null });
    await agent.untilLeft(flipped);
    await dialling.expectUnbroken(new Expect());
    await untilWatches(agent, "synced");
    expect((await agent.status()).workloads.filter(({ state }) => state === "enrolled")).toHaveLength(HERE);
    console.log(`${flips} flips in ${Math.round(performance.now() - started)} ms`);
  },
  LONG_MS,
);

test(
  "the API server is restarted: the 5,000 are listed again, and none of the 250 is taken away",
  async () => {
    const { agent, controlPlane } = cluster;
    const before = await markOf(agent);
    await controlPlane.apiServer.stop();
    await untilWatches(agent, "lost");
    await controlPlane.apiServer.start();
    await untilWatches(agent, "synced");
    const removed = (await eventsOf(agent, before)).filter(({ type }) => type === "pod.removed");
    expect(removed).toEqual([]);
    await enrolled();
    await expectCaptured(cluster, first());
  },
  LONG_MS,
);
