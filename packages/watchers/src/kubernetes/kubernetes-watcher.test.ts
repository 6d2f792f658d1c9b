import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { NAMESPACES, NODES, PODS, WatchedCluster } from "../testing/watched-cluster.test.kit.ts";

const first = ["namespace.observed namespace/shop", "node.observed node", "pod.observed pod/a"];
const ALL_SYNCED = [
  "watch.synced watch/kubernetes-namespaces",
  "watch.synced watch/kubernetes-node",
  "watch.synced watch/kubernetes-pods",
];

describe.each(["h2", "https", "http"] as const)("over %s", (protocol) => {
  test("tells everything, then that it is synced, then changes as they come", async () => {
    await using it = await WatchedCluster.create(protocol);
    const { server, recorder } = it;
    server.cluster.pod("far", { nodeName: "n2" });
    await it.start();
    await it.until(() => expect(it.watches().sort()).toEqual(ALL_SYNCED));
    expect(it.story().sort()).toEqual(first);
    const order = recorder.events.map(({ type, subject }) => `${type} ${subject}`);
    expect(order.indexOf("pod.observed pod/a")).toBeLessThan(order.indexOf("watch.synced watch/kubernetes-pods"));
    it.forget();

    server.cluster.pod("b");
    server.cluster.pod("b", { phase: "Failed" });
    server.cluster.pod("b", { phase: "Failed" }); // the same again, as of a heartbeat: no news
    server.cluster.delete(PODS, "a");
    server.cluster.delete(NAMESPACES, "shop");
    const told = ["pod.observed pod/b", "pod.observed pod/b", "pod.removed pod/a", "namespace.removed namespace/shop"];
    await it.until(() => expect(it.story().sort()).toEqual(told.toSorted()));
    expect(recorder.of("pod.observed").map(({ phase }) => phase)).toEqual(["Running", "Failed"]);
    expect(it.statistics("kubernetes-pods")).toMatchObject({ state: "watching", lists: 1, streams: 1, events: 4 });
    expect(it.statistics("kubernetes-pods")).toMatchObject({ objects: 1, errors: {}, skipped: 0 });
  });

  test("stopping leaves nothing open and tells nothing more", async () => {
    await using it = await WatchedCluster.create(protocol);
    await it.synced();
    await it.stop();
    await it.until(() => expect(it.server.connections).toBe(0));
    it.server.cluster.pod("late");
    await sleep(50);
    expect(it.recorder.events).toEqual([]);
    expect(it.statistics("kubernetes-pods").state).toBe("stopped");
  });

  test("an API server that is killed is said to be lost, takes nothing away, and is found again", async () => {
    await using it = await WatchedCluster.create(protocol);
    await it.synced();
    await it.server.kill();
    await it.until(() => expect(it.recorder.of("watch.lost")).toHaveLength(3));
    expect(it.recorder.of("watch.lost")[0]?.reason).toMatch(
      /the API server https?:\/\/127.0.0.1:\d+ cannot be reached: .*ECONNREFUSED/,
    );
    await sleep(300);
    expect(it.story()).toEqual([]);
    expect(it.recorder.of("watch.lost")).toHaveLength(3); // once each, not at every try
    // Three watches, pauses from 10 to 60 ms, of which half is left to chance: no storm, and no sleep either.
    const tries = it.statistics("kubernetes-pods").errors.ERR_KUBERNETES_UNREACHABLE ?? 0;
    expect(tries).toBeGreaterThan(3);
    expect(tries).toBeLessThan(40);

    const { version } = it.server.cluster;
    it.server.cluster.pod("b");
    await it.server.start();
    await it.until(() => expect(it.recorder.of("watch.synced")).toHaveLength(3));
    await it.until(() => expect(it.story()).toEqual(["pod.observed pod/b"]));
    const lists = it.server.lists(PODS).map(({ query }) => query.get("resourceVersion"));
    expect(lists).toEqual([String(version)]); // what is there now, no older than what was known
  });

  test("what was taken away and put back while the watch was lost never happened", async () => {
    await using it = await WatchedCluster.create(protocol);
    it.server.cluster.pod("b");
    await it.synced();
    await it.server.kill();
    await it.until(() => expect(it.recorder.of("watch.lost")).toHaveLength(3));
    it.server.cluster.pod("b", { phase: "Failed" });
    it.server.cluster.pod("b");
    await it.server.start();
    await it.until(() => expect(it.recorder.of("watch.synced")).toHaveLength(3));
    it.server.cluster.pod("c");
    await it.until(() => expect(it.story()).toEqual(["pod.observed pod/c"]));
  });
});

test("all requests go over one connection of HTTP/2, with who we are and what we want", async () => {
  await using it = await WatchedCluster.create();
  await it.start({ watchMs: 300_000 });
  await it.until(() => expect(it.recorder.of("watch.synced")).toHaveLength(3));
  expect(it.server.connections).toBe(1);
  expect(new Set(it.server.asked.map(({ httpVersion }) => httpVersion))).toEqual(new Set(["2.0"]));
  expect(new Set(it.server.asked.map(({ authorization }) => authorization))).toEqual(new Set(["Bearer t1"]));
  expect(Object.fromEntries(it.server.lists(PODS)[0]?.query ?? [])).toEqual({
    limit: "500",
    resourceVersion: "0",
    resourceVersionMatch: "NotOlderThan",
    fieldSelector: "spec.nodeName=n1",
  });
  const { timeoutSeconds, ...watch } = Object.fromEntries(it.server.watchRequests(NODES)[0]?.query ?? []);
  expect(watch).toEqual({
    watch: "true",
    allowWatchBookmarks: "true",
    resourceVersion: "103",
    fieldSelector: "metadata.name=n1",
  });
  expect(Number(timeoutSeconds)).toBeGreaterThan(239);
  expect(Number(timeoutSeconds)).toBeLessThanOrEqual(300);
});

test("a pod that comes again under the same name is another pod", async () => {
  await using it = await WatchedCluster.create();
  await it.synced();
  it.server.cluster.delete(PODS, "a");
  it.server.cluster.pod("a2", { name: "a" });
  await it.until(() => expect(it.story()).toEqual(["pod.removed pod/a", "pod.observed pod/a2"]));
});

test("5,000 namespaces come in pages, and are told once", async () => {
  await using it = await WatchedCluster.create();
  for (let i = 0; i < 4999; i++) it.server.cluster.namespace(`n${i}`, {});
  await it.start();
  await it.until(() => expect(it.recorder.of("watch.synced")).toHaveLength(3));
  expect(it.recorder.of("namespace.observed")).toHaveLength(5000);
  expect(it.server.lists(NAMESPACES)).toHaveLength(10);
  expect(it.server.lists(NAMESPACES)[1]?.query.get("resourceVersion")).toBeNull();
  it.forget();

  it.server.cluster.unseen(() => it.server.cluster.namespace("n7", { "istio.io/dataplane-mode": "ambient" }));
  it.server.cluster.compact();
  it.server.endWatches(NAMESPACES);
  await it.until(() => expect(it.statistics("kubernetes-namespaces").lists).toBe(2));
  expect(it.story()).toEqual(["namespace.observed namespace/n7"]);
});

test("100 flips of a label come in order, and the last one stands", async () => {
  await using it = await WatchedCluster.create();
  await it.synced();
  for (let i = 0; i < 100; i++)
    it.server.cluster.namespace("shop", { "istio.io/dataplane-mode": i % 2 ? "ambient" : "none" });
  await it.until(() => expect(it.statistics("kubernetes-namespaces").events).toBe(100));
  expect(it.recorder.of("namespace.observed")).toHaveLength(100);
  expect(it.recorder.of("namespace.observed").at(-1)?.labels).toEqual({ "istio.io/dataplane-mode": "ambient" });
});
