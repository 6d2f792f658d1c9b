import { expect, test } from "vitest";
import { ServedApi } from "../testing/served-api.test.kit.ts";
import { EventRecorder } from "./event-recorder.ts";
import { aboutNode, aboutPod } from "./regarding.ts";

const EVENTS = "/apis/events.k8s.io/v1/events";
const COLLECTION = "/apis/events.k8s.io/v1/namespaces/shop/events";
const web = aboutPod({ namespace: "shop", name: "web-1", uid: "u1" });
const failed = { regarding: web, reason: "EnrolmentFailed", note: "EBUSY: busy" } as const;

const recorder = ({ api, log }: ServedApi) =>
  new EventRecorder({ api, node: "n1", log, sweepMs: 20, limits: { tellMs: 50 } });

test("an Event is made, becomes a series, and the series goes on", async () => {
  await using it = await ServedApi.create();
  await using events = recorder(it);
  events.record(failed);
  await expect.poll(() => it.server.list("/apis/events.k8s.io/v1/events")).toHaveLength(1);
  const [made] = it.server.list(EVENTS);
  expect(made).toMatchObject({ metadata: { namespace: "shop" }, reason: "EnrolmentFailed", note: "EBUSY: busy" });
  expect(made).not.toHaveProperty("series");
  events.record(failed);
  await expect.poll(() => it.server.list(EVENTS)[0]).toMatchObject({ series: { count: 2 } });
  events.record(failed);
  events.record(failed);
  await expect.poll(() => it.server.list(EVENTS)[0]).toMatchObject({ series: { count: 4 } });
  expect(it.asked().filter((asked) => asked.startsWith("POST"))).toEqual([`POST ${COLLECTION}`]);
  expect(
    it.server.asked.filter(({ method }) => method === "PATCH").map(({ body }) => Object.keys(body as object)),
  ).toEqual(expect.arrayContaining([["series"]]));
  expect(events.counts.success).toBeGreaterThanOrEqual(3);
});

test("a series whose Event has run out is made anew", async () => {
  await using it = await ServedApi.create();
  await using events = recorder(it);
  events.record(failed);
  await expect.poll(() => it.server.list(EVENTS)).toHaveLength(1);
  it.server.remove(EVENTS, "shop", it.server.list(EVENTS)[0]?.metadata.name as string);
  events.record(failed);
  await expect.poll(() => it.server.list(EVENTS)[0]).toMatchObject({ series: { count: 2 } });
});

test("an API server that is away is told later, everything once", async () => {
  await using it = await ServedApi.create();
  it.server.refuse = () => 503;
  await using events = recorder(it);
  events.record(failed);
  events.record({ regarding: aboutNode("n1"), reason: "NodeProxyMissing", note: "none" });
  await expect.poll(() => events.counts.HTTP_503).toBeGreaterThan(1);
  events.record(failed);
  it.server.refuse = () => undefined;
  await expect.poll(() => it.server.list(EVENTS)).toHaveLength(2);
  expect(it.server.list(EVENTS).find(({ reason }) => reason === "EnrolmentFailed")).toMatchObject({
    series: { count: 2 },
  });
  expect(
    it.server
      .list(EVENTS)
      .map(({ metadata }) => metadata.namespace)
      .sort(),
  ).toEqual(["default", "shop"]);
  // Each failure is said once, not at every try of every Event.
  expect(it.lines.filter((line) => line.includes("HTTP_503"))).toHaveLength(1);
});

test("an answer that was lost on its way makes no second Event", async () => {
  await using it = await ServedApi.create();
  let lost = true;
  it.server.refuse = ({ method, body }) => {
    if (method !== "POST" || !lost) return undefined;
    lost = false;
    it.server.put(EVENTS, body as never);
    return 504;
  };
  await using events = recorder(it);
  events.record(failed);
  await expect.poll(() => events.counts).toEqual({ HTTP_504: 1, success: 1 });
  expect(it.server.list(EVENTS)).toHaveLength(1);
});

test("what will never be taken is let go", async () => {
  await using it = await ServedApi.create();
  it.server.refuse = () => 422;
  await using events = recorder(it);
  events.record(failed);
  await expect.poll(() => events.counts).toEqual({ HTTP_422: 1 });
  await new Promise((resolve) => setTimeout(resolve, 100)); // some sweeps
  expect(it.asked()).toHaveLength(1);
});
