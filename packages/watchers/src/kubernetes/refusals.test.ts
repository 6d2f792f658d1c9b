import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { refuse } from "../testing/api-server.test.kit.ts";
import { NODES, PODS, WatchedCluster } from "../testing/watched-cluster.test.kit.ts";

const pods = (it: WatchedCluster) => it.statistics("kubernetes-pods");
const problems = (it: WatchedCluster) =>
  it.log.lines.filter(({ level }) => level === "error").map(({ fields }) => fields.problem);

test("a token that was replaced is used from the next request on", async () => {
  await using it = await WatchedCluster.create();
  it.server.token = "t1";
  await it.synced();
  it.server.token = "t2";
  it.writeKubeconfig({ token: "t2" });
  it.server.endWatches();
  await it.until(() => expect(it.server.watches()).toBe(3));
  expect(new Set(it.server.asked.map(({ authorization }) => authorization))).toEqual(new Set(["Bearer t2"]));
  expect(it.watches()).toEqual([]);
  expect(it.server.connections).toBe(1); // who asks is said with each request, not with the connection
});

test("a 401 is asked again once, with credentials read anew, and nobody is told", async () => {
  await using it = await WatchedCluster.create();
  await it.synced();
  it.server.script = ({ authorization, path }, response) => {
    if (path !== PODS || authorization !== "Bearer t1") return false;
    it.writeKubeconfig({ token: "t2" }); // replaced between our reading and the server's
    refuse(response, 401, "Unauthorized");
    return true;
  };
  it.server.endWatches(PODS);
  await it.until(() => expect(it.server.watches(PODS)).toBe(1));
  expect(it.server.watchRequests(PODS).map(({ authorization }) => authorization)).toEqual(["Bearer t1", "Bearer t2"]);
  expect(pods(it).errors).toEqual({});
  expect(it.watches()).toEqual([]);
});

test("a token that is not valid is said, with pauses that grow, until there is a valid one", async () => {
  await using it = await WatchedCluster.create();
  it.server.token = "t2";
  await it.start({ refused: { baseMs: 50, capMs: 200 } });
  await sleep(1_000);
  expect(it.recorder.of("watch.lost")).toHaveLength(3);
  expect(it.recorder.of("watch.lost")[0]?.reason).toMatch(/status 401 \(the credentials are not valid.*: Unauthorized/);
  expect(it.server.lists(PODS).length).toBeGreaterThan(4);
  expect(it.server.lists(PODS).length).toBeLessThan(28); // twice each of 25 + 50 + 100 + 100 + … ms at the least
  it.writeKubeconfig({ token: "t2" });
  await it.until(() => expect(it.recorder.of("watch.synced")).toHaveLength(3));
});

test("a rule that the role lacks is named, and what the others tell still counts", async () => {
  await using it = await WatchedCluster.create();
  it.server.script = ({ path, isWatch }, response) => {
    if (path === NODES && isWatch) refuse(response, 403, 'nodes is forbidden: cannot watch resource "nodes"');
    return path === NODES && isWatch;
  };
  await it.start();
  await it.until(() => expect(it.recorder.of("watch.lost")).toMatchObject([{ watch: "kubernetes-node" }]));
  expect(it.recorder.of("watch.lost")[0]?.reason).toMatch(
    /a watch of \/api\/v1\/nodes was refused with status 403 \(the role of the agent lacks a rule for it\): nodes is forbidden/,
  );
  await it.until(() => expect(it.story()).toContain("pod.observed pod/a"));
});

test.each([429, 503])(
  "an API server with too much to do (%i) is left in peace for as long as it asks",
  async (status) => {
    await using it = await WatchedCluster.create();
    let refusals = 0;
    it.server.script = ({ path }, response) => {
      if (path !== PODS || ++refusals > 1) return false;
      refuse(response, status, "slow down", { "retry-after": "1" });
      return true;
    };
    await it.start({ refused: { baseMs: 10, capMs: 5_000 } });
    await it.until(() => expect(it.recorder.of("watch.synced")).toHaveLength(3));
    const [one, two] = it.server.lists(PODS);
    expect((two?.at ?? 0) - (one?.at ?? 0)).toBeGreaterThan(990);
    expect(pods(it).errors).toEqual({ [`HTTP_${status}`]: 1 });
  },
);

test("what answers in the API server's place is quoted", async () => {
  await using it = await WatchedCluster.create();
  it.server.script = (_, response) => {
    response.writeHead(502, { "content-type": "text/html" }).end("<html>no backend is up</html>");
    return true;
  };
  await it.start();
  await it.until(() => expect(it.recorder.of("watch.lost")).toHaveLength(3));
  expect(it.recorder.of("watch.lost")[0]?.reason).toContain("refused with status 502: <html>no backend is up</html>");
});

test("a list that is none is lost, not empty", async () => {
  await using it = await WatchedCluster.create();
  await it.synced();
  it.server.script = ({ path, isWatch }, response) => {
    if (path === PODS) isWatch ? refuse(response, 410, "too old") : response.writeHead(200).end('{"items":[]}');
    return path === PODS;
  };
  it.server.endWatches(PODS);
  await it.until(() => expect(it.recorder.of("watch.lost")).toMatchObject([{ watch: "kubernetes-pods" }]));
  expect(it.recorder.of("watch.lost")[0]?.reason).toContain("cannot be understood");
  expect(it.story()).toEqual([]);
});

test("an object that cannot be read is reported once and left out; the others count", async () => {
  await using it = await WatchedCluster.create();
  const broken = { metadata: { name: "x", namespace: "shop", uid: "x" }, spec: { nodeName: "n1", hostNetwork: "no" } };
  it.server.cluster.put(PODS, broken);
  await it.synced();
  it.server.cluster.put(PODS, broken);
  it.server.cluster.pod("b");
  await it.until(() => expect(it.story()).toEqual(["pod.observed pod/b"]));
  expect(problems(it)).toEqual([expect.stringMatching(/^Pod x: .*spec\.hostNetwork/s)]);
  expect(pods(it)).toMatchObject({ skipped: 2, objects: 2 });
  it.server.cluster.pod("x");
  await it.until(() => expect(it.story()).toContain("pod.observed pod/x"));
});

test("an object that can no longer be read is not gone, whether a watch or a list says so", async () => {
  await using it = await WatchedCluster.create();
  await it.synced();
  const broken = { metadata: { name: "a", namespace: "shop", uid: "a" }, spec: { nodeName: "n1", hostNetwork: 7 } };
  it.server.cluster.put(PODS, broken);
  await it.until(() => expect(pods(it).skipped).toBe(1));
  it.server.cluster.unseen(() => it.server.cluster.put(PODS, broken));
  it.server.cluster.compact();
  it.server.endWatches(PODS);
  await it.until(() => expect(pods(it)).toMatchObject({ lists: 2 }));
  expect(it.story()).toEqual([]);
  it.server.cluster.delete(PODS, "a");
  await it.until(() => expect(it.story()).toEqual(["pod.removed pod/a"]));
});

test("a node name that the API server does not know is warned of, since no pod would ever be seen under it", async () => {
  await using it = await WatchedCluster.create();
  it.server.cluster.delete(NODES, "n1");
  await it.synced();
  const warnings = it.log.lines.filter(({ level }) => level === "warn");
  expect(warnings).toMatchObject([{ fields: { nodeName: "n1" }, message: expect.stringContaining("check node.name") }]);
});

test("pods of other nodes are left out, whatever the server makes of the field selector", async () => {
  await using it = await WatchedCluster.create();
  await it.synced();
  const far = {
    metadata: { name: "far", namespace: "shop", uid: "far", resourceVersion: "900" },
    spec: { nodeName: "n2" },
  };
  it.server.send(PODS, `${JSON.stringify({ type: "ADDED", object: far })}\n`);
  it.server.cluster.pod("b");
  await it.until(() => expect(it.story()).toEqual(["pod.observed pod/b"]));
});

test("a long outage is told once for each kind of reason, not at every try", async () => {
  await using it = await WatchedCluster.create();
  let asked = 0;
  it.server.script = ({ path }, response) => {
    if (path !== PODS) return false;
    asked++;
    refuse(response, asked < 6 ? 503 : 500, `etcd is ${asked} s behind`);
    return true;
  };
  await it.start();
  await it.until(() => expect(asked).toBeGreaterThan(10));
  expect(it.recorder.of("watch.lost").map(({ reason }) => reason)).toEqual([
    expect.stringContaining("status 503: etcd is 1 s behind"),
    expect.stringContaining("status 500: etcd is 6 s behind"),
  ]);
});
