import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { refuse } from "../testing/api-server.test.kit.ts";
import { NAMESPACES, PODS, WatchedCluster } from "../testing/watched-cluster.test.kit.ts";

const pods = (it: WatchedCluster) => it.statistics("kubernetes-pods");

test("a watch that ends as agreed goes on where it was, without a list and without a word", async () => {
  await using it = await WatchedCluster.create();
  await it.synced();
  it.server.cluster.pod("b");
  await it.until(() => expect(it.story()).toEqual(["pod.observed pod/b"]));
  const { version } = it.server.cluster;
  it.server.endWatches(PODS);
  await it.until(() => expect(it.server.watchRequests(PODS)).toHaveLength(1));
  expect(it.server.watchRequests(PODS)[0]?.query.get("resourceVersion")).toBe(String(version));
  await it.until(() => expect(pods(it)).toMatchObject({ streams: 2, lists: 1, errors: {} }));
  expect(it.watches()).toEqual([]);
  expect(it.story()).toEqual(["pod.observed pod/b"]);
});

test("a bookmark moves the place from which a quiet watch goes on", async () => {
  await using it = await WatchedCluster.create();
  await it.synced();
  it.server.cluster.namespace("elsewhere");
  it.server.bookmark(PODS);
  await it.until(() => expect(pods(it)).toMatchObject({ bookmarks: 1, events: 0, skipped: 0 }));
  it.server.endWatches(PODS);
  await it.until(() => expect(it.server.watchRequests(PODS)).toHaveLength(1));
  expect(it.server.watchRequests(PODS)[0]?.query.get("resourceVersion")).toBe(String(it.server.cluster.version));
});

test.each(["h2", "https"] as const)(
  "a connection that is reset is made again, and what came meanwhile is told (%s)",
  async (protocol) => {
    await using it = await WatchedCluster.create(protocol);
    await it.synced();
    it.server.cluster.unseen(() => it.server.cluster.pod("b"));
    it.server.cut();
    await it.until(() => expect(it.story()).toEqual(["pod.observed pod/b"]));
    expect(pods(it)).toMatchObject({ lists: 1, errors: { ERR_KUBERNETES_UNREACHABLE: 1 } });
    expect(it.watches()).toEqual([]); // back at the first try: nobody was blind
  },
);

test("410 in answer to a watch is followed by a list that tells differences only", async () => {
  await using it = await WatchedCluster.create();
  it.server.cluster.pod("b");
  it.server.cluster.pod("c");
  await it.synced();
  const { version } = it.server.cluster;
  it.server.cluster.unseen(() => {
    it.server.cluster.pod("b", { phase: "Failed" });
    it.server.cluster.delete(PODS, "c");
    it.server.cluster.pod("d");
  });
  it.server.cluster.compact();
  it.server.endWatches(PODS);
  await it.until(() => expect(pods(it)).toMatchObject({ lists: 2, streams: 2, errors: { HTTP_410: 1 } }));
  expect(it.story()).toEqual(["pod.removed pod/c", "pod.observed pod/b", "pod.observed pod/d"]);
  expect(it.watches()).toEqual([]);
  // Another API server's cache may lag behind what we know: the list must not.
  expect(it.server.lists(PODS)[0]?.query.get("resourceVersion")).toBe(String(version));
  expect(it.server.lists(PODS)[0]?.query.get("resourceVersionMatch")).toBe("NotOlderThan");
  // With a limit an older API server would read etcd for it, for every node of the cluster at the same time.
  expect(it.server.lists(PODS)[0]?.query.get("limit")).toBeNull();
});

test.each([
  ["410 Gone", 410],
  ["500, which would come again after the same version", 500],
])("an ERROR event is followed by a list: %s", async (_, code) => {
  await using it = await WatchedCluster.create();
  await it.synced();
  it.server.cluster.unseen(() => it.server.cluster.pod("b"));
  it.server.send(PODS, `${JSON.stringify({ type: "ERROR", object: { kind: "Status", code, message: "no" } })}\n`);
  await it.until(() => expect(pods(it)).toMatchObject({ lists: 2, streams: 2, errors: { [`HTTP_${code}`]: 1 } }));
  expect(it.story()).toEqual(["pod.observed pod/b"]);
  expect(it.watches()).toEqual([]);
});

test("a version from the future, after etcd was restored, is given up for what there is now", async () => {
  await using it = await WatchedCluster.create();
  it.server.cluster.version = 9000;
  it.server.cluster.pod("b");
  await it.synced({ silenceMs: 400 });
  it.server.cluster.unseen(() => it.server.cluster.delete(PODS, "b"));
  it.server.cluster.restoreAt(500);
  it.server.endWatches(PODS);
  await it.until(() => expect(it.server.watchRequests(PODS)).toHaveLength(1));
  // The server agrees to watch from a version that it has not seen, and says nothing until its count has come so far.
  expect(it.server.watchRequests(PODS)[0]?.query.get("resourceVersion")).toBe("9001");
  it.server.cluster.pod("c");
  await it.until(() => expect(it.story()).toEqual(["pod.removed pod/b", "pod.observed pod/c"]));
  const lists = it.server.lists(PODS).map(({ query }) => query.get("resourceVersion"));
  expect(lists).toEqual(["9001", null]);
});

test("pages that expire half-way are asked for again in one piece", async () => {
  await using it = await WatchedCluster.create();
  for (let i = 0; i < 1200; i++) it.server.cluster.namespace(`n${i}`);
  let expired = false;
  it.server.script = ({ query }, response) => {
    if (expired || !query.get("continue")?.startsWith("1000")) return false;
    expired = true;
    refuse(response, 410, "The provided continue parameter is too old");
    return true;
  };
  await it.start();
  await it.until(() => expect(it.recorder.of("watch.synced")).toHaveLength(3));
  expect(it.recorder.of("namespace.observed")).toHaveLength(1201);
  expect(it.server.lists(NAMESPACES).map(({ query }) => query.get("limit"))).toEqual(["500", "500", "500", null]);
});

test("what a watch never told is found by the next list, which comes by itself", async () => {
  await using it = await WatchedCluster.create();
  await it.synced({ relistMs: 100 });
  it.server.cluster.swallowed(() => it.server.cluster.delete(PODS, "a"));
  await sleep(120);
  it.server.endWatches(PODS);
  await it.until(() => expect(it.story()).toEqual(["pod.removed pod/a"]));
});

test("a watch that is refused again and again is lost, though every list is answered", async () => {
  await using it = await WatchedCluster.create();
  await it.synced();
  it.server.script = ({ path, isWatch }, response) => {
    if (path === PODS && isWatch) refuse(response, 410, "too old");
    return path === PODS && isWatch;
  };
  it.server.endWatches(PODS);
  await it.until(() => expect(it.recorder.of("watch.lost")).toMatchObject([{ watch: "kubernetes-pods" }]));
  it.server.script = () => false;
  await it.until(() => expect(it.recorder.of("watch.synced")).toMatchObject([{ watch: "kubernetes-pods" }]));
  expect(it.story()).toEqual([]);
});

test("a server that ends every watch at once is not stormed", async () => {
  await using it = await WatchedCluster.create();
  it.server.script = ({ isWatch }, response) => {
    if (isWatch) response.writeHead(200).end();
    return isWatch;
  };
  await it.start({ away: { baseMs: 50, capMs: 200 }, recoveredMs: 5_000 });
  await sleep(1_000);
  const asked = it.server.watchRequests(PODS).length;
  expect(asked).toBeGreaterThan(3);
  expect(asked).toBeLessThan(14); // 25 + 50 + 100 + 100 + … ms at the least
  expect(it.server.lists(PODS)).toHaveLength(1);
});

test("a connection that the server wants to be rid of is left for another one in peace", async () => {
  await using it = await WatchedCluster.create();
  await it.synced();
  it.server.goAway();
  await sleep(50);
  it.server.cluster.pod("b");
  await it.until(() => expect(it.story()).toContain("pod.observed pod/b"));
  it.server.endWatches();
  await it.until(() => expect(it.server.watches()).toBe(3));
  await it.until(() => expect(it.server.connections).toBe(1));
  it.server.cluster.pod("c");
  await it.until(() => expect(it.story()).toContain("pod.observed pod/c"));
  expect(it.watches()).toEqual([]);
});
