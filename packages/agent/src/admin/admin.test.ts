import { chmodSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { AgentError } from "../errors.ts";
import type { ExplainQuery } from "../explain/explain-pod.ts";
import type { ExplanationDocument } from "../explain/explanation-document.ts";
import { createLogger } from "../logging/logger.ts";
import { STATUS_VERSION, type Status } from "../status/status-document.ts";
import type { SwitchRequest } from "../status/switch-document.ts";
import { AdminClient } from "./admin-client.ts";
import { AdminServer, type AdminServerOptions } from "./admin-server.ts";

const TIME = "2026-01-02T03:04:05.678Z";
const status: Status = {
  statusVersion: STATUS_VERSION,
  time: TIME,
  agent: { version: "0.1.0", node: "n1", pid: 1, startedAt: TIME, redirectMode: "auto", failurePolicy: "closed" },
  plugins: [],
  earlier: [],
  eventLog: { path: "/x", lastSeq: 7, state: "healthy", lostEvents: 0 },
  problems: [],
  workloads: [],
  proxies: [],
  watches: [],
  counters: {},
  maps: {},
};

function explained(pod: string): ExplanationDocument {
  if (pod !== "shop/web") throw new AgentError("ERR_POD_UNKNOWN", `the agent knows no pod ${pod} on this node`);
  return {
    pod: { uid: "u", namespace: "shop", name: "web", addresses: [] },
    membership: "not-member",
    reason: "hostNetwork",
    subjects: ["pod/u"],
  };
}

let directory: string;
let path: string;
const log = createLogger({ format: "text", level: "silent" });

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "millrace-admin-"));
  path = join(directory, "admin.sock");
});
afterEach(() => rmSync(directory, { recursive: true }));

const noShadow = {
  shadow: "off" as const,
  shared: [],
  refused: [],
  workloads: [],
  comparisons: [],
  differences: [],
};

const switchTo = async ({ to, dryRun }: SwitchRequest) => {
  if (to === "busy") throw new AgentError("ERR_SWITCH_REFUSED", "the switch was refused: another is under way");
  return { from: "ebpf", to, summary: "can", steps: [], isBegun: !dryRun, lacks: [], refused: [] };
};

function serve(changes: Partial<AdminServerOptions> = {}) {
  const service = {
    status: () => status,
    observe: async () => ({ ...status, counters: { fresh: 1 } }),
    explain: async ({ pod }: ExplainQuery) => explained(pod),
    switchTo,
    shadow: async () => noShadow,
  };
  return AdminServer.listen({ path, service, log, peer: () => ({ uid: 0, pid: 1 }), ...changes });
}

function raw(method: string, url: string): Promise<{ code: number | undefined; allow: string | undefined }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ code: number | undefined; allow: string | undefined }>();
  request({ socketPath: path, method, path: url, agent: false }, (response) => {
    response.resume().on("end", () => resolve({ code: response.statusCode, allow: response.headers.allow }));
  })
    .on("error", reject)
    .end();
  return promise;
}

test("tells the status, and a fresh one on demand", async () => {
  await using _server = await serve();
  const client = new AdminClient(path);
  expect(await client.status()).toEqual(status);
  expect((await client.observe()).counters).toEqual({ fresh: 1 });
  expect(await client.answers()).toBe(true);
});

test("the socket is 0600 whatever the umask, and gone afterwards", async () => {
  const umask = process.umask(0);
  try {
    await using _server = await serve();
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(process.umask()).toBe(0);
  } finally {
    process.umask(umask);
  }
  expect(() => statSync(path)).toThrow("ENOENT");
});

test("a peer that is not root is turned away, and one whose credentials cannot be read", async () => {
  for (const peer of [
    () => ({ uid: 65534, pid: 1 }),
    () => {
      throw new Error("no credentials");
    },
  ]) {
    await using _server = await serve({ peer });
    await expect(new AdminClient(path).status()).rejects.toMatchObject({ code: "ERR_NOT_PERMITTED" });
  }
});

test("unknown paths and wrong methods are named as such", async () => {
  await using _server = await serve();
  expect(await raw("GET", "/nope")).toMatchObject({ code: 404 });
  expect(await raw("GET", "/constructor")).toMatchObject({ code: 404 });
  expect(await raw("POST", "/status")).toEqual({ code: 405, allow: "GET" });
});

test("explains a pod, and says that it does not know another", async () => {
  const asked: ExplainQuery[] = [];
  const service = {
    status: () => status,
    observe: async () => status,
    explain: async (query: ExplainQuery) => {
      asked.push(query);
      return explained(query.pod);
    },
    switchTo,
    shadow: async () => noShadow,
  };
  await using _server = await serve({ service });
  const client = new AdminClient(path);
  const flow = { protocol: "tcp", direction: "inbound", peer: "2001:2::1", port: 80 } as const;
  expect(await client.explain({ pod: "shop/web", flow })).toEqual(explained("shop/web"));
  await client.explain({ pod: "shop/web" });
  expect(asked).toEqual([{ pod: "shop/web", flow }, { pod: "shop/web" }]);
  await expect(client.explain({ pod: "shop/&other=1" })).rejects.toMatchObject({
    code: "ERR_POD_UNKNOWN",
    message: "the agent knows no pod shop/&other=1 on this node",
  });
  expect(await raw("GET", "/explain")).toMatchObject({ code: 404 });
  expect(await raw("POST", "/explain?pod=x")).toEqual({ code: 405, allow: "GET" });
});

test("a switch is asked for with what is wanted, and a refusal comes back by its own code", async () => {
  await using _server = await serve();
  const client = new AdminClient(path);
  expect(await client.switchTo({ to: "iptables", dryRun: true })).toMatchObject({ to: "iptables", isBegun: false });
  await expect(client.switchTo({ to: "busy", dryRun: false })).rejects.toMatchObject({
    code: "ERR_SWITCH_REFUSED",
    message: "the switch was refused: another is under way",
  });
  await expect(client.switchTo({ to: "", dryRun: false })).rejects.toThrow();
});

test("a failure inside the agent is told with its code", async () => {
  const service = {
    status: () => status,
    explain: async ({ pod }: ExplainQuery) => explained(pod),
    observe: () => Promise.reject(Object.assign(new Error("map is gone"), { code: "ENOENT" })),
    switchTo,
    shadow: async () => noShadow,
  };
  await using _server = await serve({ service });
  await expect(new AdminClient(path).observe()).rejects.toMatchObject({
    code: "ERR_AGENT_ANSWER",
    message: "the agent could not answer POST /observe: ENOENT: map is gone",
  });
});

test("no socket, a dead socket and something else behind it are told apart", async () => {
  const client = new AdminClient(path);
  await expect(client.status()).rejects.toMatchObject({ code: "ERR_AGENT_NOT_RUNNING", exit: 4 });
  expect(await client.answers()).toBe(false);

  writeFileSync(path, ""); // connect(2) to what is no socket: ECONNREFUSED
  chmodSync(path, 0o600);
  await expect(client.status()).rejects.toThrow("nothing listens");
  rmSync(path);

  const other = createServer((socket) => socket.end("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi")).listen(path);
  try {
    await expect(client.status()).rejects.toMatchObject({ code: "ERR_AGENT_ANSWER" });
  } finally {
    other.close();
  }
});

test.each<[string, (socket: Socket) => void, string]>([
  ["is silent", () => undefined, "ERR_AGENT_STUCK"],
  [
    "stops in the middle",
    (socket) => void socket.write("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{"),
    "ERR_AGENT_STUCK",
  ],
  ["breaks off", (socket) => socket.end("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{"), "ERR_AGENT_NOT_RUNNING"],
  ["hangs up", (socket) => socket.destroy(), "ERR_AGENT_NOT_RUNNING"],
  ["speaks no HTTP", (socket) => socket.end("hello\n"), "ERR_AGENT_ANSWER"],
])("what %s is somebody, and told", async (_what, behave, code) => {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket.on("error", () => undefined)); // the client goes away first
    socket.once("data", () => behave(socket));
  }).listen(path);
  try {
    const client = new AdminClient(path, 200);
    await expect(client.status()).rejects.toMatchObject({ name: "AgentError", code });
    expect(await client.answers()).toMatchObject({ code });
  } finally {
    for (const socket of sockets) socket.destroy();
    server.close();
  }
});

test("an answer of another shape is refused", async () => {
  const service = {
    status: () => ({ ...status, statusVersion: 2 }) as unknown as Status,
    observe: async () => status,
    explain: async ({ pod }: ExplainQuery) => explained(pod),
    switchTo,
    shadow: async () => noShadow,
  };
  await using _server = await serve({ service });
  await expect(new AdminClient(path).status()).rejects.toThrow(/no status.*statusVersion/s);
});
