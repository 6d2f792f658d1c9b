import { once } from "node:events";
import { createServer } from "node:net";
import { join } from "node:path";
import { parseCniRequest } from "@millrace/core/internal";
import { expect, test } from "vitest";
import { errorOf, networkConfig, plugin, pod, podArgs, prevResult } from "./support/plugin.ts";
import { scratch, scriptedAgent } from "./support/scripted-agent.ts";

test("ADD asks the agent with what the runtime said, and prints the previous result", async () => {
  await using agent = await scriptedAgent();
  const done = await plugin("ADD", networkConfig({ socket: agent.socket }));
  expect(done).toMatchObject({ exit: 0, log: [] });
  expect(JSON.parse(done.stdout)).toEqual(prevResult);
  expect(agent.requests.map(parseCniRequest)).toEqual([
    { version: 1, command: "ADD", containerId: "c1", netns: "/run/netns/cart", ifName: "eth0", pod, prevResult },
  ]);
});

test("the request is one line, however the configuration is laid out, and its tokens keep their bytes", async () => {
  await using agent = await scriptedAgent();
  const result = `{ "cniVersion" : "1.1.0",\r\n\t"ips": [ ],\n "big": 12345678901234567890.10e+05, "text": "a  b\\u0041\\n\\" {[ ", "x": { "y": null } }`;
  const config = `\n{"cniVersion":"1.1.0","name":"n","socket":${JSON.stringify(agent.socket)},\n"prevResult":${result}}\n`;
  expect(await plugin("ADD", config)).toMatchObject({ exit: 0 });
  expect(agent.requests).toEqual([
    `{"version":1,"command":"ADD","containerId":"c1","netns":"/run/netns/cart","ifName":"eth0",` +
      `"pod":{"namespace":"${pod.namespace}","name":"${pod.name}","uid":"${pod.uid}"},` +
      `"prevResult":{"cniVersion":"1.1.0","ips":[],"big":12345678901234567890.10e+05,"text":"a  b\\u0041\\n\\" {[ ","x":{"y":null}}}`,
  ]);
});

test.each([
  [4, "ERR_NETNS_GONE"],
  [7, ""],
  [100, "ERR_NOT_VETH"],
  [102, ""],
  [403, ""],
])("what the agent refuses with code %i is the plugin's error", async (code, details) => {
  const message = 'no: "quoted"\n\u0001 ünïcode 🌊';
  await using agent = await scriptedAgent({ ok: false, code, message, details });
  const failed = await plugin("ADD", networkConfig({ socket: agent.socket }));
  const expected = { cniVersion: "1.1.0", code, msg: message };
  expect(errorOf(failed)).toEqual(details === "" ? expected : { ...expected, details });
  expect(failed.log).toEqual([
    expect.objectContaining({
      level: "error",
      msg: "the call failed",
      code: String(code),
      problem: message,
      uid: pod.uid,
    }),
  ]);
});

test("a refusal counts for excluded pods too, and where failurePolicy is open: the agent had its say", async () => {
  await using agent = await scriptedAgent({ ok: false, code: 100, message: "no", details: "" });
  const config = { socket: agent.socket, failurePolicy: "open", excludeNamespaces: ["shop"] };
  expect(errorOf(await plugin("ADD", networkConfig(config)))).toMatchObject({ code: 100 });
});

test("the error is told in the version of the configuration", async () => {
  await using agent = await scriptedAgent({ ok: false, code: 100, message: "no", details: "" });
  const failed = await plugin("ADD", networkConfig({ socket: agent.socket, cniVersion: "0.4.0" }));
  expect(errorOf(failed)).toMatchObject({ cniVersion: "0.4.0", code: 100 });
});

test("an error that is longer than anybody reads is cut, between characters", async () => {
  await using agent = await scriptedAgent({
    ok: false,
    code: 101,
    message: "ü".repeat(5000),
    details: "🌊".repeat(9000),
  });
  const { msg, details } = errorOf(await plugin("CHECK", networkConfig({ socket: agent.socket })));
  expect(msg).toMatch(/^ü{500,}$/);
  expect(details).toMatch(/^(🌊){1000,}$/u);
});

test("a container that is no pod of Kubernetes is handed on without asking", async () => {
  await using agent = await scriptedAgent({ ok: false, code: 100, message: "no", details: "" });
  for (const CNI_ARGS of ["", undefined, "IgnoreUnknown=1", "FOO=BAR;K8S_POD_UID="]) {
    const done = await plugin("ADD", networkConfig({ socket: agent.socket }), { CNI_ARGS });
    expect(JSON.parse(done.stdout)).toEqual(prevResult);
    expect(done.log).toMatchObject([{ level: "info", msg: expect.stringContaining("no pod of Kubernetes") }]);
  }
  expect(agent.requests).toEqual([]);
});

test.each([
  ["K8S_POD_UID", "K8S_POD_NAMESPACE=shop;K8S_POD_NAME=cart"],
  ["K8S_POD_NAME", `K8S_POD_NAMESPACE=shop;K8S_POD_NAME=;K8S_POD_UID=${pod.uid}`],
  ["K8S_POD_NAMESPACE K8S_POD_NAME", `K8S_POD_UID=${pod.uid}`],
])("a pod that is not wholly named is refused: without %s", async (missing, CNI_ARGS) => {
  await using agent = await scriptedAgent();
  const error = errorOf(await plugin("ADD", networkConfig({ socket: agent.socket }), { CNI_ARGS }));
  expect(error).toMatchObject({ code: 4, msg: expect.stringMatching(new RegExp(`${missing}$`)) });
  expect(agent.requests).toEqual([]);
});

test("CNI_ARGS may hold anything else, and the last of a key counts", async () => {
  await using agent = await scriptedAgent();
  const CNI_ARGS = `;;A=;B=x=y;K8S_POD_NAME=old;${podArgs({ ...pod, name: 'b="\u00fc' })};`;
  expect(await plugin("ADD", networkConfig({ socket: agent.socket }), { CNI_ARGS })).toMatchObject({ exit: 0 });
  expect(agent.requests.map(parseCniRequest)).toMatchObject([{ pod: { ...pod, name: 'b="\u00fc' } }]);
  const bad = await plugin("ADD", networkConfig({ socket: agent.socket }), { CNI_ARGS: `${podArgs()};nonsense` });
  expect(errorOf(bad)).toMatchObject({ code: 4, msg: expect.stringMatching(/CNI_ARGS.*nonsense/) });
});

test("many pods at once are many requests", async () => {
  await using agent = await scriptedAgent((socket) => setTimeout(() => socket.end('{"ok":true}\n'), 50));
  const names = Array.from({ length: 24 }, (_, i) => `pod-${i}`);
  const calls = names.map((name) =>
    plugin("ADD", networkConfig({ socket: agent.socket }), { CNI_ARGS: podArgs({ ...pod, name }) }),
  );
  for (const { exit, stdout } of await Promise.all(calls)) {
    expect(exit).toBe(0);
    expect(JSON.parse(stdout)).toEqual(prevResult);
  }
  expect(new Set(agent.requests).size).toBe(names.length);
});

test("an agent that answers without having read the request is heard", async () => {
  using directory = scratch();
  const socket = join(directory.path, "cni.sock");
  const refusal = '{"ok":false,"code":100,"message":"too much","details":""}\n';
  const server = createServer({ pauseOnConnect: true }, (peer) => peer.end(refusal, () => peer.destroy())).listen(
    socket,
  );
  await once(server, "listening");
  // Longer than the socket's buffers.
  const config = networkConfig({ socket, prevResult: { ...prevResult, filler: "x".repeat(900_000) } });
  expect(errorOf(await plugin("ADD", config))).toMatchObject({ code: 100, msg: "too much" });
  server.close();
});

test("a runtime that went away is an error and not a signal", async () => {
  await using agent = await scriptedAgent();
  const outcome = await plugin("ADD", networkConfig({ socket: agent.socket }), {}, { deaf: true });
  expect(outcome).toMatchObject({
    exit: 1,
    signal: null,
    log: [{ msg: "stdout cannot be written", error: "Broken pipe" }],
  });
});
