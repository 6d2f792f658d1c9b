import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type CniReply, cniReply, type Enrolment, parseCniRequest } from "@millrace/core/internal";
import { links, openNetns } from "linux-ts";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { TestNode } from "../testing/node.test.kit.ts";
import { Recorder, recordingLog } from "../testing/recorder.test.kit.ts";
import { type CniSocketOptions, cniSocketWatcher } from "./cni-socket-watcher.ts";
import { type CniEngine, handleRequest } from "./handle-request.ts";
import { RemovedContainers } from "./removed-containers.ts";

const pod = { namespace: "shop", name: "a", uid: "0b8d3e5c-1a2f-4c3d-9e8f-001122334455" };

let node: TestNode;
let directory: string;
let path: string;
let recorder: Recorder;
let log: ReturnType<typeof recordingLog>;
let cleanup: AsyncDisposableStack;

beforeEach(() => {
  cleanup = new AsyncDisposableStack();
  node = cleanup.use(new TestNode());
  directory = mkdtempSync(join(tmpdir(), "mw-cni-"));
  cleanup.defer(() => rmSync(directory, { recursive: true }));
  path = join(directory, "run/millrace/cni.sock");
  recorder = new Recorder();
  log = recordingLog();
});

afterEach(() => cleanup.disposeAsync());

/** Stands in for the engine: what it answers is each test's business. */
const engine = {
  enrolment: vi.fn<(uid: string, signal: AbortSignal) => Promise<Enrolment>>(),
  check: vi.fn<(uid: string, signal: AbortSignal) => Promise<readonly string[]>>(),
  attachment: vi.fn<CniEngine["attachment"]>(),
  attachments: vi.fn<CniEngine["attachments"]>(),
  status: vi.fn<() => string | undefined>(),
};
beforeEach(() => {
  engine.enrolment.mockReset().mockResolvedValue({ kind: "applied" });
  engine.check.mockReset().mockResolvedValue([]);
  engine.attachment.mockReset().mockReturnValue(undefined);
  engine.attachments.mockReset().mockReturnValue([]);
  engine.status.mockReset().mockReturnValue(undefined);
});

async function start(options: Partial<CniSocketOptions> = {}): Promise<AsyncDisposable> {
  const watcher = cniSocketWatcher({ path, engine, log: log.log, nodeNetns: node.path, deadlineMs: 5000, ...options });
  const running = await watcher.start(recorder.sink);
  let stopped = false;
  const stop = async () => {
    if (!stopped) await running[Symbol.asyncDispose]();
    stopped = true;
  };
  cleanup.defer(stop);
  return { [Symbol.asyncDispose]: stop };
}

/** Sends bytes as they are and returns all that comes back. Rejects when the connection ends in an error: a reset, a broken pipe. */
async function exchange(bytes: string | Buffer, { halfClose = false } = {}): Promise<string> {
  const socket = connect({ path });
  let text = "";
  socket.setEncoding("utf8").on("data", (chunk) => {
    text += chunk;
  });
  if (halfClose) socket.end(bytes);
  else socket.write(bytes);
  await once(socket, "close");
  return text;
}

function parseReply(text: string): CniReply {
  expect(text).toMatch(/^[^\n]+\n$/);
  return cniReply.parse(JSON.parse(text));
}

async function ask(request: object): Promise<CniReply> {
  return parseReply(await exchange(`${JSON.stringify(request)}\n`));
}

const add = (netns: string, more: object = {}) => ({
  version: 1,
  command: "ADD",
  containerId: "c1",
  netns,
  ifName: "eth0",
  pod,
  prevResult: { cniVersion: "1.1.0", interfaces: [], ips: [] },
  ...more,
});
const del = { version: 1, command: "DEL", containerId: "c1", ifName: "eth0", pod };

test("a DEL while the interface of its ADD is still being read: nothing is told to have come, and the next ADD is as any", async () => {
  const a = node.addPod("a", { addresses: ["198.18.250.11"] });
  using nodeNetns = openNetns(node.path);
  const signal = new AbortController().signal;
  const removed = new RemovedContainers();
  const context = { engine, node: nodeNetns, sink: recorder.sink, log: log.log, deadlineMs: 5000, signal, removed };
  const handle = (request: object) => handleRequest(parseCniRequest(JSON.stringify(request)), context);
  // What an ADD waits for comes in a later turn of the event loop.
  const adding = handle(add(a.path));
  expect(await handle(del)).toEqual({ ok: true });
  expect(await adding).toMatchObject({ ok: false, code: 11 });
  expect(recorder.events.map(({ type }) => type)).toEqual(["interface.removed"]);
  expect(await handle(add(a.path))).toEqual({ ok: true });
  expect(await handle(del)).toEqual({ ok: true });
  expect(recorder.events.map(({ type }) => type)).toEqual([
    "interface.removed",
    "interface.added",
    "interface.removed",
  ]);
});

test("ADD tells the interface as the kernel has it, and answers once it is redirected", async () => {
  const a = node.addPod("a", { addresses: ["198.18.250.11", "2001:2:0:fa::b"] });
  const enrolled = Promise.withResolvers<Enrolment>();
  engine.enrolment.mockReturnValue(enrolled.promise);
  await start();
  // What prevResult says is not what the kernel says: the kernel is right.
  const prevResult = {
    interfaces: [{ name: "eth0", mac: "02:00:00:00:00:01", sandbox: a.path }],
    ips: [{ address: "198.18.9.9/32", interface: 0 }],
  };
  let answered = false;
  const reply = ask(add(a.path, { prevResult })).finally(() => (answered = true));
  await vi.waitFor(() => expect(engine.enrolment).toHaveBeenCalledWith(pod.uid, expect.any(AbortSignal)), 10_000);
  await sleep(50);
  expect(answered).toBe(false);
  enrolled.resolve({ kind: "applied" });
  expect(await reply).toEqual({ ok: true });

  using podNetns = openNetns(a.path);
  using nodeNetns = openNetns(node.path);
  expect(recorder.events).toEqual([
    {
      type: "interface.added",
      subject: "interface/c1",
      data: {
        containerId: "c1",
        ...pod,
        netns: a.path,
        netnsInode: a.inode,
        ifName: "eth0",
        mac: links(podNetns.fd).find(({ name }) => name === "eth0")?.mac,
        hostIfName: "h-a",
        hostIfIndex: links(nodeNetns.fd).find(({ name }) => name === "h-a")?.index,
        addresses: ["198.18.250.11", "2001:2:0:fa::b"],
        source: "cni",
      },
    },
  ]);
});

test("a further interface of the container neither replaces the one that is redirected nor ends it", async () => {
  const a = node.addPod("a", { addresses: ["198.18.250.11"] });
  node.ip("link", "add", "h-net1", "type", "veth", "peer", "name", "net1", "netns", `${node.name}-a`);
  await start();
  expect(await ask(add(a.path))).toEqual({ ok: true });
  const first = { containerId: "c1", uid: pod.uid, ifName: "eth0", netns: a.path, netnsInode: a.inode };
  engine.attachment.mockImplementation((containerId) => (containerId === first.containerId ? first : undefined));
  expect(await ask(add(a.path, { ifName: "net1" }))).toEqual({ ok: true });
  for (let i = 0; i < 2; i++) expect(await ask({ ...del, ifName: "net1" })).toEqual({ ok: true });
  expect(recorder.events.map(({ type }) => type)).toEqual(["interface.added"]);
  // The same interface once more is told again, and its own end is.
  expect(await ask(add(a.path))).toEqual({ ok: true });
  expect(await ask(del)).toEqual({ ok: true });
  expect(recorder.events.map(({ type }) => type)).toEqual(["interface.added", "interface.added", "interface.removed"]);
});

test("ADD falls back to the addresses of prevResult where the kernel shows none", async () => {
  const a = node.addPod("a", { addresses: [] });
  await start();
  const prevResult = {
    interfaces: [{ name: "eth0", sandbox: a.path }],
    ips: [{ address: "198.18.250.11/32", interface: 0 }],
  };
  expect(await ask(add(a.path, { prevResult }))).toEqual({ ok: true });
  expect(recorder.of("interface.added")[0]?.addresses).toEqual(["198.18.250.11"]);
});

test("ADD of a pod outside the mesh succeeds, whatever its interface is", async () => {
  const a = node.addPod("a", { addresses: ["198.18.250.11"] });
  node.ip("link", "add", "link", "h-a", "name", "mv0", "netns", `${node.name}-a`, "type", "macvlan");
  engine.enrolment.mockResolvedValue({ kind: "not-member", reason: "the namespace has no label" });
  await start();
  expect(await ask(add(a.path))).toEqual({ ok: true });
  expect(await ask(add(a.path, { containerId: "c2", ifName: "mv0" }))).toEqual({ ok: true });
  expect(recorder.of("interface.added").map(({ containerId }) => containerId)).toEqual(["c1"]);
});

test("ADD of a member whose interface cannot be redirected fails and says why", async () => {
  const a = node.addPod("a", { addresses: ["198.18.250.11"] });
  node.ip("link", "add", "link", "h-a", "name", "mv0", "netns", `${node.name}-a`, "type", "macvlan");
  engine.enrolment.mockResolvedValue({ kind: "deadline", reason: "no interface" });
  await start();
  const reply = await ask(add(a.path, { ifName: "mv0" }));
  expect(reply).toMatchObject({
    ok: false,
    code: 100,
    message: expect.stringContaining("is a macvlan, not a veth"),
    details: "ERR_NOT_VETH",
  });
});

test("ADD fails at once for a namespace that vanished, is none, is the node's, or lacks the interface", async () => {
  const a = node.addPod("a", { addresses: [] });
  await start();
  const gone = await ask(add(join(directory, "gone")));
  expect(gone).toMatchObject({
    ok: false,
    code: 4,
    message: expect.stringMatching(/cannot read the network namespace .*gone: .*it may have ended/),
    details: "ERR_NETNS_GONE",
  });
  writeFileSync(join(directory, "leftover"), "");
  expect(await ask(add(join(directory, "leftover")))).toMatchObject({ ok: false, code: 4, details: "ERR_NETNS_GONE" });
  expect(await ask(add(node.path))).toMatchObject({ ok: false, code: 4, details: "ERR_NETNS_IS_NODE" });
  expect(await ask(add(a.path, { ifName: "eth9" }))).toMatchObject({
    ok: false,
    code: 4,
    message: expect.stringContaining("no interface eth9"),
    details: "ERR_INTERFACE_ABSENT",
  });
  expect(engine.enrolment).not.toHaveBeenCalled();
  expect(recorder.events).toEqual([]);
});

test("ADD passes on why a redirection failed", async () => {
  const a = node.addPod("a", { addresses: [] });
  engine.enrolment.mockResolvedValue({
    kind: "failed",
    error: { code: "EPERM", message: "the verifier said no" },
    attempts: 3,
  });
  await start();
  const reply = await ask(add(a.path));
  expect(reply).toMatchObject({
    ok: false,
    code: 100,
    details: "EPERM",
    message: expect.stringMatching(/shop\/a .*in 3 attempts: the verifier said no/),
  });
});

test("ADD of a pod that nobody observed waits until the deadline, and says for what", async () => {
  const a = node.addPod("a", { addresses: [] });
  engine.enrolment.mockImplementation(async (_, signal) => {
    await once(signal, "abort");
    return { kind: "deadline", reason: "the pod has not been observed" };
  });
  await start({ deadlineMs: 150 });
  const startedAt = performance.now();
  expect(await ask(add(a.path))).toMatchObject({
    ok: false,
    code: 11,
    message: expect.stringContaining("was not enrolled within 150 ms"),
    details: "the pod has not been observed",
  });
  expect(performance.now() - startedAt).toBeGreaterThan(140);
});

test("the deadline holds for an engine that does not heed it, or takes it for an error", async () => {
  const a = node.addPod("a", { addresses: [] });
  await start({ deadlineMs: 100 });
  engine.enrolment.mockReturnValue(new Promise(() => {}));
  expect(await ask(add(a.path))).toMatchObject({ ok: false, code: 11, details: "" });
  engine.enrolment.mockImplementation(async (_, signal) => {
    await once(signal, "abort");
    throw signal.reason;
  });
  expect(await ask(add(a.path))).toMatchObject({ ok: false, code: 11, details: "" });
  expect(log.lines.filter(({ level }) => level === "error")).toEqual([]);
});

test("many ADDs wait side by side, and one too many is told to come again", async () => {
  const many = 20;
  const netns = node.addPod("a", { addresses: ["198.18.250.11"] }).path;
  const enrolled = Promise.withResolvers<Enrolment>();
  engine.enrolment.mockReturnValue(enrolled.promise);
  await start({ maxConnections: many });
  const replies = Array.from({ length: many }, (_, i) =>
    ask(add(netns, { containerId: `c${i}`, pod: { ...pod, uid: `u${i}` } })),
  );
  await vi.waitFor(() => expect(engine.enrolment).toHaveBeenCalledTimes(many), 10_000);
  expect(await ask(del)).toMatchObject({
    ok: false,
    code: 11,
    message: expect.stringContaining("more than 20 requests at once"),
  });
  enrolled.resolve({ kind: "applied" });
  expect(await Promise.all(replies)).toEqual(Array(many).fill({ ok: true }));
  expect(new Set(recorder.of("interface.added").map(({ containerId }) => containerId)).size).toBe(many);
  expect(await ask(del)).toEqual({ ok: true });
});

test("DEL always succeeds, needs neither namespace nor result, and is told once", async () => {
  const a = node.addPod("a", { addresses: [] });
  await start();
  for (let i = 0; i < 3; i++) expect(await ask(del)).toEqual({ ok: true });
  expect(await ask({ ...del, netns: "/nonexistent", prevResult: {} })).toEqual({ ok: true });
  expect(recorder.of("interface.removed")).toEqual([{ containerId: "c1", uid: pod.uid }]);
  expect(await ask(add(a.path))).toEqual({ ok: true });
  expect(await ask(del)).toEqual({ ok: true });
  expect(recorder.types()).toEqual(["interface.removed", "interface.added", "interface.removed"]);
});

test("CHECK and STATUS answer with what the engine says", async () => {
  await start({ deadlineMs: 100 });
  const check = add("/nonexistent", { command: "CHECK" });
  expect(await ask(check)).toEqual({ ok: true });
  engine.check.mockResolvedValue(["app_inbound is missing", "address 198.18.250.11 is missing"]);
  expect(await ask(check)).toMatchObject({
    ok: false,
    code: 101,
    details: "app_inbound is missing; address 198.18.250.11 is missing",
  });
  engine.check.mockReturnValue(new Promise(() => {}));
  expect(await ask(check)).toMatchObject({ ok: false, code: 11 });

  const status = { version: 1, command: "STATUS" };
  expect(await ask(status)).toEqual({ ok: true });
  engine.status.mockReturnValue("the watch of manifests has not synced");
  expect(await ask(status)).toMatchObject({ ok: false, code: 50, message: expect.stringContaining("has not synced") });
});

test("GC forgets what is not valid and has no namespace left, and nothing else", async () => {
  const a = node.addPod("a", { addresses: [] });
  const of = (containerId: string, netns: string, netnsInode: number) => ({
    containerId,
    uid: `u-${containerId}`,
    ifName: "eth0",
    netns,
    netnsInode,
  });
  const leftover = join(directory, "leftover");
  writeFileSync(leftover, "");
  engine.attachments.mockReturnValue([
    of("valid-and-gone", "/run/netns/mw-gone", 7),
    of("gone", "/run/netns/mw-gone", 7),
    of("unmounted", leftover, 7),
    of("name-used-again", a.path, a.inode + 1),
    of("of-another-network", a.path, a.inode),
    of("unknown-whether", "/proc/1/root/../../\0", 7),
  ]);
  await start();
  const gc = { version: 1, command: "GC", validAttachments: [{ containerId: "valid-and-gone", ifName: "eth0" }] };
  expect(await ask(gc)).toEqual({ ok: true });
  expect(recorder.of("interface.removed")).toEqual([
    { containerId: "gone", uid: "u-gone" },
    { containerId: "unmounted", uid: "u-unmounted" },
    { containerId: "name-used-again", uid: "u-name-used-again" },
  ]);
  // As long as the engine has not caught up, it is not said twice.
  expect(await ask(gc)).toEqual({ ok: true });
  expect(recorder.of("interface.removed")).toHaveLength(3);
});

test("an engine that throws is an error of the agent, not of the connection", async () => {
  const a = node.addPod("a", { addresses: [] });
  engine.enrolment.mockRejectedValue(new Error("surprise"));
  await start();
  expect(await ask(add(a.path))).toMatchObject({ ok: false, code: 102, message: expect.stringContaining("surprise") });
  expect(log.lines.some(({ level }) => level === "error")).toBe(true);
  expect(await ask(del)).toEqual({ ok: true });
});

test.each([
  ["garbage", "\u0000\u0001 not json\n", 6],
  ["an empty line", "\n", 6],
  ["half a request", '{"version":1,"comm\n', 6],
  ["an array", "[]\n", 4],
  ["deep nesting", `${"[".repeat(500_000)}\n`, 6],
  ["a field of the wrong type", `${JSON.stringify({ ...del, ifName: 3 })}\n`, 4],
])("refuses %s, and goes on", async (_, text, code) => {
  await start();
  expect(parseReply(await exchange(text))).toMatchObject({ ok: false, code });
  expect(await ask(del)).toEqual({ ok: true });
});

test("refuses 10 MB without reading them", async () => {
  await start();
  const before = process.memoryUsage().rss;
  const reply = parseReply(await exchange(Buffer.alloc(10_000_000, 0x20)));
  expect(reply).toMatchObject({ ok: false, code: 6, message: expect.stringContaining("longer than 1048576 bytes") });
  expect(process.memoryUsage().rss - before).toBeLessThan(64 * 1024 * 1024);
});

test("takes a request that is just not too long, and one that ends with the stream", async () => {
  await start();
  const fill = (length: number) => {
    const request = { ...del, prevResult: { cniVersion: "1.1.0", filler: "" } };
    request.prevResult.filler = "x".repeat(length - JSON.stringify(request).length - 1);
    return `${JSON.stringify(request)}\n`;
  };
  expect(parseReply(await exchange(fill(1024 * 1024)))).toEqual({ ok: true });
  expect(parseReply(await exchange(fill(1024 * 1024 + 1)))).toMatchObject({ ok: false, code: 6 });
  expect(parseReply(await exchange(JSON.stringify(del), { halfClose: true }))).toEqual({ ok: true });
});

test("a byte now and then holds nothing open", async () => {
  await start({ requestTimeoutMs: 200 });
  const socket = connect({ path });
  cleanup.defer(() => void socket.destroy());
  let text = "";
  socket
    .setEncoding("utf8")
    .on("data", (chunk) => (text += chunk))
    .on("error", () => {});
  const writer = setInterval(() => socket.write("{"), 20);
  cleanup.defer(() => clearInterval(writer));
  const startedAt = performance.now();
  await once(socket, "end");
  clearInterval(writer);
  expect(performance.now() - startedAt).toBeLessThan(10_000);
  expect(parseReply(text)).toMatchObject({ ok: false, code: 5, message: expect.stringContaining("within 200 ms") });
});

test("peers that come and go in silence, or never fetch their reply, cost nothing", async () => {
  const running = await start({ maxConnections: 2, requestTimeoutMs: 100 });
  for (let i = 0; i < 10; i++)
    connect({ path })
      .on("error", () => {})
      .destroy();
  const deaf = connect({ path, allowHalfOpen: true });
  cleanup.defer(() => void deaf.destroy());
  deaf.pause().write(`${JSON.stringify(del)}\n`);
  await vi.waitFor(() => expect(recorder.of("interface.removed")).toHaveLength(1), 10_000);
  await vi.waitFor(async () => expect(await ask(del)).toEqual({ ok: true }), 10_000);
  await running[Symbol.asyncDispose]();
});

test("only root may connect, and a process that gets in all the same is refused", async () => {
  await start();
  expect(statSync(path).mode & 0o777).toBe(0o600);
  chmodSync(directory, 0o755);
  const asNobody = async () => {
    const client = spawn(
      "setpriv",
      ["--reuid=65534", "--regid=65534", "--clear-groups", "socat", "-t5", "-", `UNIX-CONNECT:${path}`],
      { timeout: 10_000 },
    );
    let output = "";
    client.stdout.setEncoding("utf8").on("data", (chunk) => (output += chunk));
    client.stderr.setEncoding("utf8").on("data", (chunk) => (output += chunk));
    client.stdin.on("error", () => {});
    client.stdin.end(`${JSON.stringify(del)}\n`);
    await once(client, "close");
    return output;
  };
  expect(await asNobody()).toContain("Permission denied");
  chmodSync(path, 0o666);
  expect(parseReply(await asNobody())).toMatchObject({
    ok: false,
    code: 403,
    message: expect.stringContaining("uid 65534"),
  });
  expect(recorder.events).toEqual([]);
});

test("replaces a socket that nobody answers on", async () => {
  execFileSync("mkdir", ["-p", join(directory, "run/millrace")]);
  const dies = "require('net').createServer().listen(process.argv[1], () => process.kill(process.pid, 'SIGKILL'))";
  expect(spawnSync(process.execPath, ["-e", dies, path]).signal).toBe("SIGKILL");
  expect(statSync(path).isSocket()).toBe(true);
  await start();
  expect(await ask(del)).toEqual({ ok: true });
});

test("leaves a socket that somebody answers on, and files that are no socket", async () => {
  const stop = await start();
  await expect(start()).rejects.toMatchObject({ code: "ERR_SOCKET_IN_USE" });
  expect(await ask(del)).toEqual({ ok: true });
  await stop[Symbol.asyncDispose]();
  expect(existsSync(path)).toBe(false);
  writeFileSync(path, "precious");
  await expect(start()).rejects.toMatchObject({ code: "ERR_SOCKET_PATH" });
  expect(statSync(path).size).toBe(8);
});

test("says so when the path cannot be used", async () => {
  await expect(start({ path: join(directory, "x".repeat(200)) })).rejects.toMatchObject({ code: "ERR_SOCKET_PATH" });
  writeFileSync(join(directory, "file"), "");
  await expect(start({ path: join(directory, "file/cni.sock") })).rejects.toMatchObject({ code: "ERR_SOCKET" });
});

test("stopping answers those who wait, and leaves no socket", async () => {
  const a = node.addPod("a", { addresses: [] });
  engine.enrolment.mockReturnValue(new Promise(() => {}));
  const running = await start();
  const reply = ask(add(a.path));
  const silent = connect({ path });
  cleanup.defer(() => void silent.destroy());
  await once(silent, "connect");
  await vi.waitFor(() => expect(engine.enrolment).toHaveBeenCalled(), 10_000);
  const startedAt = performance.now();
  await running[Symbol.asyncDispose]();
  expect(performance.now() - startedAt).toBeLessThan(4000);
  expect(await reply).toMatchObject({
    ok: false,
    code: 11,
    message: expect.stringContaining("before the agent stopped"),
  });
  expect(existsSync(path)).toBe(false);
});
