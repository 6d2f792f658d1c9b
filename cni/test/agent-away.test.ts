import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { errorOf, networkConfig, plugin, pod, podArgs, prevResult } from "./support/plugin.ts";
import { scratch, scriptedAgent } from "./support/scripted-agent.ts";

let directory: ReturnType<typeof scratch>;
beforeEach(() => {
  directory = scratch();
});
afterEach(() => directory[Symbol.dispose]());

const gc = { "cni.dev/valid-attachments": [] };
const absent = () => networkConfig({ socket: join(directory.path, "cni.sock"), ...gc });

test.each([
  ["ADD", 11],
  ["CHECK", 11],
  ["GC", 11],
  ["STATUS", 50],
])("%s fails with %i when no agent is there", async (command, code) => {
  const failed = await plugin(command, absent());
  expect(errorOf(failed)).toMatchObject({
    code,
    msg: expect.stringContaining(join(directory.path, "cni.sock")),
    details: expect.stringContaining("No such file"),
  });
  expect(failed.ms).toBeLessThan(2000);
});

test("DEL succeeds, any number of times, and says that the agent does not know", async () => {
  for (let i = 0; i < 3; i++) {
    expect(await plugin("DEL", absent())).toMatchObject({
      exit: 0,
      stdout: "",
      log: [{ level: "warn", msg: expect.stringContaining("not told of this DEL"), uid: pod.uid }],
    });
  }
});

/** What may be found in the place of an agent. */
const places: [string, (path: string) => void, string][] = [
  ["a socket that a killed agent left", leaveSocket, "Connection refused"],
  ["a file", (path) => writeFileSync(path, ""), "Connection refused"],
];

function leaveSocket(path: string): void {
  const dies = "require('net').createServer().listen(process.argv[1], () => process.kill(process.pid, 'SIGKILL'))";
  expect(spawnSync(process.execPath, ["-e", dies, path]).signal).toBe("SIGKILL");
}

test.each(places)("%s is an agent that is away", async (_, make, details) => {
  const socket = join(directory.path, "cni.sock");
  make(socket);
  const error = errorOf(await plugin("ADD", networkConfig({ socket })));
  expect(error).toMatchObject({ code: 11, details: expect.stringContaining(details) });
});

test("an agent that says 'try again later' is as one that is away", async () => {
  await using agent = await scriptedAgent({
    ok: false,
    code: 11,
    message: "not observed",
    details: "the watch is lost",
  });
  const config = { socket: agent.socket, excludeNamespaces: ["shop"] };
  const failed = await plugin("ADD", networkConfig({ socket: agent.socket }));
  expect(errorOf(failed)).toEqual({ cniVersion: "1.1.0", code: 11, msg: "not observed", details: "the watch is lost" });
  expect(await plugin("ADD", networkConfig(config))).toMatchObject({ exit: 0 });
  expect(errorOf(await plugin("STATUS", networkConfig(config)))).toMatchObject({ code: 50, msg: "not observed" });
});

test.each([
  ["nothing", ""],
  ["half a line", '{"ok":true}'],
  ["an empty line", "\n"],
  ["no JSON", "hello\n"],
  ["a list", "[true]\n"],
  ["neither yes nor no", '{"ok":"yes"}\n'],
  ["no reason", '{"ok":false}\n'],
  ["a code that is none", '{"ok":false,"code":0,"message":"m","details":""}\n'],
  ["a code that is a text", '{"ok":false,"code":"11","message":"m","details":""}\n'],
  ["a message that is none", '{"ok":false,"code":4,"message":4,"details":""}\n'],
  ["a line without end", `{"ok":true,"x":"${"x".repeat(2 * 1024 * 1024)}"}`],
])("an agent that answers %s has not answered", async (_, answer) => {
  await using agent = await scriptedAgent(answer);
  expect(errorOf(await plugin("ADD", networkConfig({ socket: agent.socket })))).toMatchObject({ code: 11 });
  expect(errorOf(await plugin("STATUS", networkConfig({ socket: agent.socket })))).toMatchObject({ code: 50 });
  expect(await plugin("DEL", networkConfig({ socket: agent.socket }))).toMatchObject({ exit: 0, stdout: "" });
});

/** Pods that may start without the agent, and pods that only look like them. */
const pods: [string, object, Partial<typeof pod>, boolean][] = [
  ["the agent's own pod", {}, { namespace: "millrace-system", name: "millrace-agent-x7k2p" }, true],
  ["another pod of the agent's namespace", {}, { namespace: "millrace-system", name: "other" }, false],
  ["a pod elsewhere by the agent's name", {}, { namespace: "shop", name: "millrace-agent-x7k2p" }, false],
  [
    "an agent with another name",
    { agent: { namespace: "net", podNamePrefix: "mr-" } },
    { namespace: "net", name: "mr-1" },
    true,
  ],
  [
    "the default name then",
    { agent: { namespace: "net", podNamePrefix: "mr-" } },
    { namespace: "millrace-system", name: "millrace-agent-1" },
    false,
  ],
  [
    "an agent of which only the namespace is set",
    { agent: { namespace: "net" } },
    { namespace: "net", name: "millrace-agent-1" },
    true,
  ],
  ["a pod of an excluded namespace", { excludeNamespaces: ["kube-system", "shop"] }, {}, true],
  ["an excluded namespace spelled with escapes", { excludeNamespaces: ["@sh\\u006fp"] }, {}, true],
  ["a namespace that begins like an excluded one", { excludeNamespaces: ["shop"] }, { namespace: "shopping" }, false],
  ["a namespace that an excluded one begins with", { excludeNamespaces: ["shop"] }, { namespace: "sho" }, false],
  ["any pod, of which only the agent knows what it is", { excludeNamespaces: [] }, {}, false],
  ["any pod where failurePolicy is open", { failurePolicy: "open" }, {}, true],
  ["any pod where failurePolicy is closed", { failurePolicy: "closed" }, {}, false],
];

test.each(pods)("%s", async (_, settings, who, passes) => {
  const CNI_ARGS = podArgs({ ...pod, ...who });
  const config = JSON.stringify({ ...absent(), ...settings }).replace("@sh\\\\u006fp", "sh\\u006fp");
  const add = await plugin("ADD", config, { CNI_ARGS });
  const check = await plugin("CHECK", config, { CNI_ARGS });
  if (passes) {
    expect(JSON.parse(add.stdout)).toEqual(prevResult);
    expect(add.log).toMatchObject([
      { level: "warn", why: expect.any(String), details: expect.stringContaining("No such file") },
    ]);
    expect(check).toMatchObject({ exit: 0, stdout: "" });
  } else {
    expect(errorOf(add)).toMatchObject({ code: 11 });
    expect(errorOf(check)).toMatchObject({ code: 11 });
  }
});

test("the agent's own pod starts even when an agent that is there says no", async () => {
  await using agent = await scriptedAgent({ ok: false, code: 102, message: "the agent failed", details: "" });
  const CNI_ARGS = podArgs({ ...pod, namespace: "millrace-system", name: "millrace-agent-x7k2p" });
  const add = await plugin("ADD", networkConfig({ socket: agent.socket }), { CNI_ARGS });
  expect(JSON.parse(add.stdout)).toEqual(prevResult);
  expect(add.log).toMatchObject([{ level: "warn", problem: "the agent failed" }]);
});

test("STATUS is well where failurePolicy is open, since an ADD would succeed", async () => {
  const config = { ...absent(), failurePolicy: "open" };
  expect(await plugin("STATUS", config)).toMatchObject({ exit: 0, stdout: "" });
  await using agent = await scriptedAgent({ ok: false, code: 50, message: "no", details: "" });
  expect(errorOf(await plugin("STATUS", { ...config, socket: agent.socket }))).toMatchObject({ code: 50 });
});
