import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import type { Response } from "../testing/api-server.test.kit.ts";
import { TcpRelay } from "../testing/tcp-relay.test.kit.ts";
import { PODS, WatchedCluster } from "../testing/watched-cluster.test.kit.ts";

const pods = (it: WatchedCluster) => it.statistics("kubernetes-pods");
const podEvent = (type: string, uid: string, annotations: Record<string, string> = {}, version = "500") => {
  const metadata = { name: uid, namespace: "shop", uid, annotations, resourceVersion: version };
  return `${JSON.stringify({ type, object: { kind: "Pod", metadata, spec: { nodeName: "n1" }, status: {} } })}\n`;
};
const KEY = "millrace.dev/exclude-outbound-ports";

describe.each(["h2", "https"] as const)("over %s", (protocol) => {
  test("events are whole wherever their bytes are cut", async () => {
    await using it = await WatchedCluster.create(protocol);
    await it.synced();
    const bytes = Buffer.from(podEvent("ADDED", "b", { [KEY]: "größe € 𝄞" }));
    for (const byte of bytes) {
      it.server.send(PODS, Buffer.of(byte));
      if (byte > 0x7f) await sleep(1); // so that this byte travels alone
    }
    it.server.send(
      PODS,
      `${podEvent("ADDED", "c")}\n${podEvent("ADDED", "d")}${podEvent("DELETED", "d").slice(0, 20)}`,
    );
    it.server.send(PODS, podEvent("DELETED", "d").slice(20));
    const told = ["pod.observed pod/b", "pod.observed pod/c", "pod.observed pod/d", "pod.removed pod/d"];
    await it.until(() => expect(it.story()).toEqual(told));
    expect(it.recorder.of("pod.observed")[0]?.annotations).toEqual({ [KEY]: "größe € 𝄞" });
  });

  test("an object larger than every buffer on the way is one event", async () => {
    await using it = await WatchedCluster.create(protocol);
    await it.synced();
    it.server.send(PODS, podEvent("ADDED", "b", { big: "x".repeat(3_000_000), [KEY]: "7" }));
    await it.until(() =>
      expect(it.recorder.of("pod.observed")).toMatchObject([{ uid: "b", annotations: { [KEY]: "7" } }]),
    );
  });

  test("half an event before the end is no event, and the watch goes on before it", async () => {
    await using it = await WatchedCluster.create(protocol);
    await it.synced();
    const { version } = it.server.cluster;
    it.server.send(PODS, podEvent("DELETED", "a").slice(0, -30));
    it.server.endWatches(PODS);
    await it.until(() => expect(it.server.watchRequests(PODS)).toHaveLength(1));
    expect(it.server.watchRequests(PODS)[0]?.query.get("resourceVersion")).toBe(String(version));
    expect(it.story()).toEqual([]);
  });

  test("a watch that brings neither event nor bookmark is ended and resumed; a bookmark is enough", async () => {
    await using it = await WatchedCluster.create(protocol);
    await it.synced({ silenceMs: 600 });
    for (let i = 0; i < 8; i++) {
      await sleep(150);
      it.server.bookmark(PODS);
    }
    expect(pods(it)).toMatchObject({ streams: 1, errors: {} });
    await it.until(() => expect(pods(it).errors).toMatchObject({ ERR_KUBERNETES_QUIET: 1 }));
    await it.until(() => expect(pods(it)).toMatchObject({ state: "watching", lists: 1 }));
    expect(it.watches()).toEqual([]);
    it.server.cluster.pod("b");
    await it.until(() => expect(it.story()).toEqual(["pod.observed pod/b"]));
  });
});

test("a line that is no event is followed by a list", async () => {
  await using it = await WatchedCluster.create();
  await it.synced();
  it.server.cluster.unseen(() => it.server.cluster.pod("b"));
  it.server.send(PODS, "<html>the balancer says hello</html>\n");
  await it.until(() => expect(it.story()).toEqual(["pod.observed pod/b"]));
  expect(pods(it)).toMatchObject({ lists: 2, errors: { ERR_KUBERNETES_ANSWER: 1 } });
});

describe("something on the way freezes, and its kernel acknowledges everything", () => {
  /** What the watcher promises by default, forty times as fast. */
  const quick = { pingAfterMs: 125, pingAnswerMs: 250, connectMs: 200 };

  async function behindRelay() {
    const it = await WatchedCluster.create();
    const relay = new TcpRelay(Number(new URL(it.server.url).port));
    await relay.start();
    it.writeKubeconfig({ url: relay.url });
    await it.synced(quick);
    return { it, relay };
  }

  test("a frozen connection is noticed and replaced by another one", async () => {
    const { it, relay } = await behindRelay();
    await using _ = it;
    await using __ = relay;
    const frozenAt = performance.now();
    relay.freeze({ all: false });
    it.server.cluster.pod("b");
    await it.until(() => expect(it.story()).toEqual(["pod.observed pod/b"]));
    expect(performance.now() - frozenAt).toBeGreaterThan(250);
    await it.until(() => expect(pods(it)).toMatchObject({ lists: 2, streams: 2 }));
    expect(pods(it).errors).toEqual({ ERR_KUBERNETES_SILENT: 1 });
    expect(it.recorder.of("watch.lost")).toHaveLength(3);
    await it.until(() => expect(it.recorder.of("watch.synced")).toHaveLength(3));
    // The frozen one was closed on our side, which the relay sees once it moves again.
    relay.thaw();
    await it.until(() => expect(relay.connections).toBe(1));
  });

  test("a connection that the server wanted to be rid of and that freezes then does not keep its watches", async () => {
    const { it, relay } = await behindRelay();
    await using _ = it;
    await using __ = relay;
    it.server.goAway();
    it.server.bookmark(PODS);
    await it.until(() => expect(pods(it).bookmarks).toBe(1)); // so the word before it has come, too
    relay.freeze({ all: false });
    it.server.cluster.pod("b");
    await it.until(() => expect(it.story()).toEqual(["pod.observed pod/b"]));
    expect(pods(it)).toMatchObject({ lists: 1, streams: 2 });
    expect(it.watches()).toEqual([]);
    // It was closed, though the other end said nothing.
    relay.thaw();
    await it.until(() => expect(relay.connections).toBe(1));
  });

  test("a frozen API server is said to be lost, and found again when it moves", async () => {
    const { it, relay } = await behindRelay();
    await using _ = it;
    await using __ = relay;
    relay.freeze({ all: true });
    await it.until(() => expect(it.recorder.of("watch.lost").length).toBeGreaterThanOrEqual(3));
    await it.until(() => expect(pods(it).errors.ERR_KUBERNETES_UNREACHABLE).toBeGreaterThan(1));
    it.server.cluster.pod("b");
    relay.thaw();
    await it.until(() => expect(it.story()).toEqual(["pod.observed pod/b"]));
    await it.until(() => expect(it.recorder.of("watch.synced")).toHaveLength(3));
  });

  test("a quiet connection whose pings are answered is left alone", async () => {
    const { it, relay } = await behindRelay();
    await using _ = it;
    await using __ = relay;
    await sleep(1_500);
    expect(pods(it)).toMatchObject({ streams: 1, errors: {} });
    expect(it.watches()).toEqual([]);
  });

  test("stopping does not wait for a connection that comes to nothing", async () => {
    const { it, relay } = await behindRelay();
    await using _ = it;
    await using __ = relay;
    relay.freeze({ all: true });
    await it.until(() => expect(it.recorder.of("watch.lost").length).toBeGreaterThanOrEqual(3));
    const before = performance.now();
    await it.stop();
    expect(performance.now() - before).toBeLessThan(150);
  });
});

describe("lists", () => {
  const trickle = (response: Response, pauseMs: number) => {
    const object = { metadata: { name: "a", namespace: "shop", uid: "a" }, spec: { nodeName: "n1" } };
    const text = JSON.stringify({ metadata: { resourceVersion: "103" }, items: [object] });
    response.writeHead(200, { "content-type": "application/json" });
    let at = -16;
    const timer = setInterval(() => {
      at += 16;
      if (at < text.length && !response.destroyed) {
        response.write(text.slice(at, at + 16));
        return;
      }
      clearInterval(timer);
      response.end();
    }, pauseMs);
  };

  test("a slow one is fine as long as it moves", async () => {
    await using it = await WatchedCluster.create();
    it.server.script = ({ path, isWatch }, response) => {
      if (path !== PODS || isWatch) return false;
      trickle(response, 100);
      return true;
    };
    const before = performance.now();
    await it.start({ answerMs: 700 });
    await it.until(() => expect(it.story()).toContain("pod.observed pod/a"));
    expect(performance.now() - before).toBeGreaterThan(800);
    expect(pods(it).errors).toEqual({});
  });

  test.each([
    ["does not begin", (_: Response) => undefined],
    ["stops half-way", (response: Response) => void response.writeHead(200).write('{"metadata":')],
  ])("one that %s is given up and asked for again", async (_, begin) => {
    await using it = await WatchedCluster.create();
    it.server.script = ({ path, isWatch }, response) => {
      if (path !== PODS || isWatch || it.server.lists(PODS).length > 1) return false;
      begin(response);
      return true;
    };
    await it.start({ answerMs: 200 });
    await it.until(() => expect(it.recorder.of("watch.synced")).toHaveLength(3));
    expect(pods(it).errors).toEqual({ ERR_KUBERNETES_SILENT: 1 });
    expect(it.story()).toContain("pod.observed pod/a");
  });
});
