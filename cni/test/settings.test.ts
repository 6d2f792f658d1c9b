import { readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { errorOf, networkConfig, plugin } from "./support/plugin.ts";
import { scratch, scriptedAgent } from "./support/scripted-agent.ts";

test.each([
  ["failurePolicy", "sometimes"],
  ["failurePolicy", "Open"],
  ["failurePolicy", true],
  ["failurePolicy", null],
  ["logLevel", "verbose"],
  ["logLevel", 3],
])("%s: %j is a value that is not there: code 2, with key and value", async (key, value) => {
  const error = errorOf(await plugin("ADD", networkConfig({ [key]: value })));
  expect(error).toMatchObject({ code: 2, msg: expect.stringContaining(`"${key}": ${JSON.stringify(value)}`) });
});

test.each([
  ["socket", 7],
  ["socket", ""],
  ["socket", "cni.sock"],
  ["socket", `/${"x".repeat(107)}`],
  ["socket", "/a\u0000b"],
  ["logFile", "log"],
  ["logFile", []],
  ["excludeNamespaces", "kube-system"],
  ["excludeNamespaces", ["kube-system", 1]],
  ["agent", "millrace-agent"],
  ["deadlineSeconds", 0],
  ["deadlineSeconds", 301],
  ["deadlineSeconds", 1.5],
  ["deadlineSeconds", -1],
  ["deadlineSeconds", "15"],
  ["deadlineSeconds", 1e21],
])("%s: %j is wrong: code 7, with key and value", async (key, value) => {
  const error = errorOf(await plugin("ADD", networkConfig({ [key]: value })));
  expect(error).toMatchObject({ code: 7, msg: expect.stringContaining(key), details: expect.stringContaining(key) });
});

test.each([
  ["namespace", ""],
  ["podNamePrefix", ""],
  ["namespace", 1],
  ["podNamePrefix", "x".repeat(254)],
])("agent.%s: %j is wrong: an empty one would let everybody by", async (key, value) => {
  const error = errorOf(await plugin("ADD", networkConfig({ agent: { [key]: value } })));
  expect(error).toMatchObject({ code: 7, msg: expect.stringContaining(key) });
});

test("keys of others are left alone, and of two of the same name the last counts", async () => {
  await using agent = await scriptedAgent();
  const more = `"capabilities":{"x":true},"ipam":{},"dns":{},"runtimeConfig":{},"socket":"/nowhere","socket":${JSON.stringify(agent.socket)}}`;
  const config = JSON.stringify(networkConfig()).replace(/}$/, `,${more}`);
  expect(await plugin("ADD", config)).toMatchObject({ exit: 0 });
  expect(agent.requests).toHaveLength(1);
});

test("what is not set has its default", async () => {
  const error = errorOf(await plugin("STATUS", { cniVersion: "1.1.0", name: "n", type: "millrace" }));
  expect(error).toMatchObject({ code: 50, msg: expect.stringContaining("/run/millrace/cni.sock") });
});

test.each([
  ["debug", ["debug"]],
  ["info", []],
])("at %s, a call that went well logs %j", async (logLevel, levels) => {
  await using agent = await scriptedAgent();
  const { log } = await plugin("ADD", networkConfig({ socket: agent.socket, logLevel }));
  expect(log.map(({ level }) => level)).toEqual(levels);
});

test("the log file gets the same lines, is root's alone, and is rolled when it is large", async () => {
  using directory = scratch();
  const logFile = join(directory.path, "cni.log");
  const config = networkConfig({ socket: "/nonexistent/cni.sock", logFile });
  const first = await plugin("ADD", config);
  const lines = readFileSync(logFile, "utf8").trimEnd().split("\n");
  expect(lines.map((line) => JSON.parse(line))).toEqual(first.log);
  expect(first.log).toMatchObject([
    {
      level: "error",
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      command: "ADD",
      containerId: "c1",
      pod: "cart-5f7",
    },
  ]);
  expect(statSync(logFile).mode & 0o777).toBe(0o600);
  writeFileSync(logFile, "x".repeat(1024 * 1024 + 1));
  await plugin("DEL", config);
  expect(statSync(`${logFile}.1`).size).toBe(1024 * 1024 + 1);
  expect(readFileSync(logFile, "utf8").trimEnd().split("\n")).toHaveLength(1);
});

test("a log file that cannot be written changes nothing but the log", async () => {
  using directory = scratch();
  await using agent = await scriptedAgent();
  const link = join(directory.path, "link");
  symlinkSync("/etc/passwd", link);
  for (const logFile of [directory.path, link, "/nonexistent/log"]) {
    const done = await plugin("ADD", networkConfig({ socket: agent.socket, logFile }));
    expect(done).toMatchObject({
      exit: 0,
      log: [{ level: "warn", msg: expect.stringContaining("log file"), file: logFile }],
    });
  }
});
