import { parseCniRequest } from "@millrace/core/internal";
import { expect, test } from "vitest";
import { errorOf, networkConfig, plugin, pod, prevResult } from "./support/plugin.ts";
import { scriptedAgent } from "./support/scripted-agent.ts";

test("CHECK asks the agent, and prints nothing when all is well", async () => {
  await using agent = await scriptedAgent();
  expect(await plugin("CHECK", networkConfig({ socket: agent.socket }))).toMatchObject({
    exit: 0,
    stdout: "",
    log: [],
  });
  expect(agent.requests.map(parseCniRequest)).toMatchObject([{ command: "CHECK", containerId: "c1", pod, prevResult }]);
});

test("CHECK fails as the agent says", async () => {
  const reply = { ok: false, code: 101, message: "drifted", details: "app_inbound is missing" };
  await using agent = await scriptedAgent(reply);
  const error = errorOf(await plugin("CHECK", networkConfig({ socket: agent.socket })));
  expect(error).toEqual({ cniVersion: "1.1.0", code: 101, msg: "drifted", details: "app_inbound is missing" });
});

test("CHECK of a container that is no pod is fine", async () => {
  expect(await plugin("CHECK", networkConfig({ socket: "/nonexistent" }), { CNI_ARGS: "" })).toMatchObject({
    exit: 0,
    stdout: "",
  });
});

test("DEL tells the agent, with and without a namespace, and prints nothing", async () => {
  await using agent = await scriptedAgent();
  const { prevResult: _, ...bare } = networkConfig({ socket: agent.socket }) as { prevResult: object };
  expect(await plugin("DEL", networkConfig({ socket: agent.socket }))).toMatchObject({ exit: 0, stdout: "", log: [] });
  expect(await plugin("DEL", bare, { CNI_NETNS: undefined })).toMatchObject({ exit: 0, stdout: "", log: [] });
  expect(agent.requests.map(parseCniRequest)).toEqual([
    { version: 1, command: "DEL", containerId: "c1", netns: "/run/netns/cart", ifName: "eth0", pod },
    { version: 1, command: "DEL", containerId: "c1", netns: "", ifName: "eth0", pod },
  ]);
});

test.each([4, 11, 100, 102])("DEL succeeds although the agent says %i, and logs it", async (code) => {
  await using agent = await scriptedAgent({ ok: false, code, message: "busy", details: "" });
  const done = await plugin("DEL", networkConfig({ socket: agent.socket }));
  expect(done).toMatchObject({ exit: 0, stdout: "", log: [{ level: "warn", problem: "busy" }] });
});

test("DEL succeeds in spite of settings and CNI_ARGS that are wrong by now", async () => {
  const broken = networkConfig({ socket: 7 });
  expect(await plugin("DEL", broken)).toMatchObject({ exit: 0, stdout: "", log: [{ level: "error", code: "7" }, {}] });
  for (const CNI_ARGS of ["nonsense", "K8S_POD_NAME=cart", ""])
    expect(await plugin("DEL", networkConfig(), { CNI_ARGS })).toMatchObject({ exit: 0, stdout: "" });
});

test.each(["cni.dev/valid-attachments", "cni.dev/attachments"])("GC hands on %s", async (key) => {
  await using agent = await scriptedAgent();
  const valid = [
    { containerID: "c1", ifname: "eth0" },
    { ifname: "net1", containerID: "c2", more: 1 },
  ];
  expect(await plugin("GC", networkConfig({ socket: agent.socket, [key]: valid }))).toMatchObject({
    exit: 0,
    stdout: "",
    log: [],
  });
  expect(agent.requests.map(parseCniRequest)).toEqual([
    {
      version: 1,
      command: "GC",
      validAttachments: [
        { containerId: "c1", ifName: "eth0" },
        { containerId: "c2", ifName: "net1" },
      ],
    },
  ]);
});

test.each([
  ["an empty list", []],
  ["null, which is Go's empty list", null],
  ["no list, as cnitool has it", undefined],
])("GC with %s: nothing is valid", async (_, valid) => {
  await using agent = await scriptedAgent();
  expect(await plugin("GC", networkConfig({ socket: agent.socket, "cni.dev/valid-attachments": valid }))).toMatchObject(
    { exit: 0 },
  );
  expect(agent.requests).toEqual(['{"version":1,"command":"GC","validAttachments":[]}']);
});

test.each([
  ["something else", { "cni.dev/valid-attachments": "all" }],
  ["an entry that is none", { "cni.dev/valid-attachments": ["c1"] }],
  ["an entry without interface", { "cni.dev/valid-attachments": [{ containerID: "c1" }] }],
  ["an entry with a number", { "cni.dev/valid-attachments": [{ containerID: 1, ifname: "eth0" }] }],
])("GC with %s is refused: the agent is not told anything", async (_, keys) => {
  await using agent = await scriptedAgent();
  const error = errorOf(await plugin("GC", networkConfig({ socket: agent.socket, ...keys })));
  expect(error).toMatchObject({ code: 7, msg: expect.stringContaining("cni.dev/valid-attachments") });
  expect(agent.requests).toEqual([]);
});

test("STATUS asks the agent, and hands its code on: 50, and 51", async () => {
  await using well = await scriptedAgent();
  expect(await plugin("STATUS", networkConfig({ socket: well.socket }))).toMatchObject({
    exit: 0,
    stdout: "",
    log: [],
  });
  expect(well.requests).toEqual(['{"version":1,"command":"STATUS"}']);
  for (const code of [50, 51]) {
    await using agent = await scriptedAgent({ ok: false, code, message: "no", details: "" });
    expect(errorOf(await plugin("STATUS", networkConfig({ socket: agent.socket })))).toEqual({
      cniVersion: "1.1.0",
      code,
      msg: "no",
    });
  }
});

const supportedVersions = ["0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"];

test.each([
  ["a version that is kept", '{"cniVersion":"0.4.0"}', "0.4.0"],
  ["a version of the future", '{"cniVersion":"9.9.9"}', "9.9.9"],
  ["no version", "{}", "1.1.0"],
  ["nothing", "", "1.1.0"],
])("VERSION answers %s", async (_, stdin, cniVersion) => {
  const { exit, stdout } = await plugin("VERSION", stdin);
  expect(exit).toBe(0);
  expect(JSON.parse(stdout)).toEqual({ cniVersion, supportedVersions });
});

test.each(["{", "[1", '{"cniVersion":1}'])("VERSION refuses %j", async (stdin) => {
  expect(errorOf(await plugin("VERSION", stdin))).toMatchObject({ code: 6 });
});

const since: [string, string[]][] = [
  ["ADD", supportedVersions],
  ["DEL", supportedVersions],
  ["CHECK", ["0.4.0", "1.0.0", "1.1.0"]],
  ["GC", ["1.1.0"]],
  ["STATUS", ["1.1.0"]],
];

test.each(since)("%s works in %j, and is code 1 in all other versions", async (command, versions) => {
  await using agent = await scriptedAgent();
  for (const cniVersion of [undefined, "", "0.1.0", "0.2.0", ...supportedVersions, "1.2.0", "2.0.0", "1.1", "v1.1.0"]) {
    const config = { ...networkConfig(), socket: agent.socket, "cni.dev/valid-attachments": [], cniVersion };
    const outcome = await plugin(command, config);
    if (cniVersion !== undefined && versions.includes(cniVersion)) expect(outcome.exit).toBe(0);
    else
      expect(errorOf(outcome)).toMatchObject({ code: 1, details: expect.stringContaining(cniVersion || "cniVersion") });
  }
});
