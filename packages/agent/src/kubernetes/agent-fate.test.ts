import { expect, test } from "vitest";
import { ServedApi } from "../testing/served-api.test.kit.ts";
import { agentFate, type FateOptions } from "./agent-fate.ts";

const DAEMON_SET = "/apis/apps/v1/daemonsets";
const PATH = "/apis/apps/v1/namespaces/millrace-system/daemonsets/millrace-agent";

async function served(
  spec: object = {},
  metadata: object = {},
  labels: Record<string, string> = {},
): Promise<ServedApi> {
  const it = await ServedApi.create();
  const named = { namespace: "millrace-system", name: "millrace-agent", ...metadata };
  it.server.put(DAEMON_SET, { metadata: named, spec: { template: { spec } } });
  it.server.put("/api/v1/nodes", { metadata: { name: "n1", labels } });
  return it;
}

const fate = ({ api }: Pick<FateOptions, "api">, deadlineMs = 20_000) =>
  agentFate({
    api,
    daemonSet: "millrace-system/millrace-agent",
    node: "n1",
    signal: AbortSignal.timeout(deadlineMs),
    pauseMs: 10,
  });

test("a DaemonSet that is there brings a new agent", async () => {
  await using it = await served();
  expect(await fate(it)).toEqual({
    successor: true,
    reason: "the DaemonSet millrace-system/millrace-agent is there and wants this node",
  });
  expect(it.asked()).toEqual([`GET ${PATH}`, "GET /api/v1/namespaces", "GET /api/v1/nodes/n1"]);
});

test("one that is gone, or going, brings none", async () => {
  await using it = await served({}, { deletionTimestamp: "2026-01-02T03:00:00Z" });
  expect(await fate(it)).toMatchObject({ successor: false, reason: expect.stringContaining("being deleted") });
  it.server.remove(DAEMON_SET, "millrace-system", "millrace-agent");
  expect(await fate(it)).toMatchObject({ successor: false, reason: expect.stringContaining("is gone") });
});

test("one that wants other nodes brings none to this one", async () => {
  await using it = await served({ nodeSelector: { pool: "mesh" } }, {}, { pool: "other" });
  expect(await fate(it)).toMatchObject({ successor: false, reason: expect.stringContaining("not want this node") });
  it.server.put("/api/v1/nodes", { metadata: { name: "n1", labels: { pool: "mesh" } } });
  expect(await fate(it)).toMatchObject({ successor: true });
});

test("a namespace that is deleted brings none, though it keeps the DaemonSet until its pods have ended", async () => {
  await using it = await served();
  it.server.put("/api/v1/namespaces", { metadata: { name: "other", deletionTimestamp: "2026-01-02T03:00:00Z" } });
  it.server.put("/api/v1/namespaces", { metadata: { name: "millrace-system" } });
  expect(await fate(it)).toMatchObject({ successor: true });
  const going = { metadata: { name: "millrace-system", deletionTimestamp: "2026-01-02T03:00:00Z" } };
  it.server.put("/api/v1/namespaces", going);
  expect(await fate(it)).toMatchObject({ successor: false, reason: expect.stringContaining("namespace is being") });
  // Its roles may be gone already, and the cluster's are not.
  it.server.refuse = ({ path }) => (path === PATH ? 403 : undefined);
  expect(await fate(it)).toMatchObject({ successor: false, reason: expect.stringContaining("namespace is being") });
});

test("a node that is gone from the cluster says nothing of the DaemonSet", async () => {
  await using it = await served();
  it.server.remove("/api/v1/nodes", undefined, "n1");
  expect(await fate(it)).toMatchObject({ successor: true, reason: expect.stringMatching(/not known.*node n1/) });
});

test("a DaemonSet that is there is not gone, whatever else may not be read", async () => {
  await using it = await served();
  it.server.refuse = ({ path }) => (path === PATH || path === "/version" ? undefined : 403);
  expect(await fate(it)).toMatchObject({ successor: true, reason: expect.stringContaining("not known") });
});

test("a token that is not valid any more means that the account is gone; a moment's refusal does not", async () => {
  await using it = await served();
  it.server.refuse = () => 401;
  expect(await fate(it)).toMatchObject({ successor: false, reason: expect.stringContaining("account is gone") });
  let refusals = 0;
  it.server.refuse = () => (refusals++ < 7 ? 401 : undefined);
  expect(await fate(it)).toMatchObject({ successor: true, reason: expect.stringContaining("wants this node") });
});

test("a token that has run out says nothing of the account", async () => {
  await using it = await served();
  it.server.refuse = () => 401;
  const get = it.api.get.bind(it.api);
  const withToken = (expiresAt: number) => fate({ api: { get, tokenExpiresAt: async () => expiresAt } });
  expect(await withToken(Date.now() - 1_000)).toMatchObject({
    successor: true,
    reason: expect.stringContaining("run out"),
  });
  expect(await withToken(Date.now() + 60_000)).toMatchObject({ successor: false });
});

test("no right to anything means that the roles are gone; no right to the DaemonSet alone is a mistake in the role", async () => {
  await using it = await served();
  it.server.refuse = ({ path }) => (path === "/version" ? undefined : 403);
  expect(await fate(it)).toMatchObject({ successor: false, reason: expect.stringContaining("rights are gone") });
  // The account follows while the question is asked.
  it.server.refuse = ({ path }) => (path === "/version" ? 401 : 403);
  expect(await fate(it)).toMatchObject({ successor: false, reason: expect.stringContaining("account is gone") });
  it.server.refuse = ({ path }) => (path === PATH ? 403 : undefined);
  expect(await fate(it)).toMatchObject({ successor: true, reason: expect.stringContaining("a rule lacks") });
  it.server.refuse = ({ path }) => (path === PATH ? 403 : 500);
  expect(await fate(it)).toMatchObject({ successor: true, reason: expect.stringContaining("500") });
});

test("an API server that refuses everything to everybody has not read its rules yet", async () => {
  await using it = await served();
  it.server.refuse = () => 403;
  expect(await fate(it)).toMatchObject({ successor: true, reason: expect.stringMatching(/not known.*403/) });
});

test("an API server that is away, fails or is silent leaves everything as it is", async () => {
  await using it = await served();
  it.server.refuse = () => 503;
  expect(await fate(it)).toMatchObject({ successor: true, reason: expect.stringContaining("not known") });
  it.server.put(DAEMON_SET, { metadata: { namespace: "millrace-system", name: "millrace-agent" } });
  it.server.refuse = () => undefined;
  expect(await fate(it)).toMatchObject({ successor: true, reason: expect.stringContaining("not known") });
  await it.server[Symbol.asyncDispose]();
  expect(await fate(it)).toMatchObject({ successor: true, reason: expect.stringContaining("cannot be reached") });
});

test("the deadline is kept", async () => {
  const get = (_path: string, _what: string, signal: AbortSignal) => rejectedBy(signal);
  const never = { get, tokenExpiresAt: async () => undefined };
  const options = { api: never, daemonSet: "a/b", node: "n1", signal: AbortSignal.timeout(50) };
  expect(await agentFate(options)).toMatchObject({ successor: true, reason: expect.stringContaining("timeout") });
});

const rejectedBy = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason), { once: true }));
