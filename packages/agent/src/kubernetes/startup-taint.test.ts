import { expect, test } from "vitest";
import { ServedApi } from "../testing/served-api.test.kit.ts";
import { StartupTaint } from "./startup-taint.ts";

const KEY = "millrace.dev/agent-not-ready";
const NODES = "/api/v1/nodes";
const ours = { key: KEY, effect: "NoSchedule", value: "true" };
const other = { key: "node.kubernetes.io/unschedulable", effect: "NoSchedule" };

const put = ({ server }: ServedApi, taints: readonly object[] | undefined) =>
  server.put(NODES, { metadata: { name: "n1" }, spec: { podCIDR: "198.18.0.0/24", ...(taints && { taints }) } });
const taints = ({ server }: ServedApi) => server.get(NODES, undefined, "n1")?.spec;
const startupTaint = ({ api, log }: ServedApi) => new StartupTaint({ api, node: "n1", key: KEY, log });

test("it stays until pods can start, then it goes, and no other does", async () => {
  await using it = await ServedApi.create();
  put(it, [other, ours, { ...ours, effect: "NoExecute" }]);
  await using taint = startupTaint(it);
  taint.look(false);
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(it.asked()).toEqual([]);
  taint.look(true);
  await expect.poll(() => taints(it)).toEqual({ podCIDR: "198.18.0.0/24", taints: [other] });
  taint.look(false);
  taint.look(true);
  await expect.poll(() => taint.counts).toEqual({ success: 1 });
  expect(it.asked()).toEqual([`GET ${NODES}/n1`, `PATCH ${NODES}/n1`]);
});

test.each([[[other]], [[]], [undefined]])("a node without it is left alone: %j", async (present) => {
  await using it = await ServedApi.create();
  put(it, present);
  await using taint = startupTaint(it);
  taint.look(true);
  await expect.poll(() => it.lines.join("")).toContain("the node does not have the startup taint");
  expect(it.asked()).toEqual([`GET ${NODES}/n1`]);
});

test("a taint that somebody adds in between is not lost", async () => {
  await using it = await ServedApi.create();
  put(it, [ours]);
  let meddled = false;
  it.server.refuse = ({ method }) => {
    if (method === "PATCH" && !meddled) put(it, [ours, other]);
    meddled ||= method === "PATCH";
    return undefined;
  };
  await using taint = startupTaint(it);
  taint.look(true);
  await expect.poll(() => taints(it)).toEqual({ podCIDR: "198.18.0.0/24", taints: [other] });
  await expect.poll(() => taint.counts).toEqual({ HTTP_422: 1, success: 1 });
});

test("an API server that refuses is asked again", async () => {
  await using it = await ServedApi.create();
  put(it, [ours]);
  let refusals = 0;
  it.server.refuse = () => (refusals++ < 2 ? 403 : undefined);
  await using taint = startupTaint(it);
  taint.look(true);
  await expect.poll(() => taints(it)).toMatchObject({ taints: [] });
  expect(it.lines.filter((line) => line.includes("HTTP_403"))).toHaveLength(1);
});
