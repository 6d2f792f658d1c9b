import { expect, test } from "vitest";
import { errorOf, networkConfig, plugin } from "./support/plugin.ts";

const config = networkConfig({ socket: "/nonexistent/cni.sock" });

test.each([
  ["", /CNI_COMMAND is not set/],
  [undefined, /CNI_COMMAND is not set/],
  ["add", /CNI_COMMAND is add/],
  ["UPDATE", /CNI_COMMAND is UPDATE/],
])("CNI_COMMAND %j is refused", async (CNI_COMMAND, reason) => {
  expect(errorOf(await plugin("", config, { CNI_COMMAND }))).toMatchObject({
    code: 4,
    msg: expect.stringMatching(reason),
  });
});

const needed: [string, string[]][] = [
  ["ADD", ["CNI_CONTAINERID", "CNI_IFNAME", "CNI_NETNS"]],
  ["CHECK", ["CNI_CONTAINERID", "CNI_IFNAME", "CNI_NETNS"]],
  ["DEL", ["CNI_CONTAINERID", "CNI_IFNAME"]],
];

test.each(needed)("%s names every variable that is not set", async (command, variables) => {
  const none = Object.fromEntries(variables.map((name) => [name, undefined]));
  const error = errorOf(await plugin(command, config, none));
  expect(error).toMatchObject({ code: 4, msg: expect.stringMatching(new RegExp(`: ${variables.join(" ")}$`)) });
  for (const name of variables)
    expect(errorOf(await plugin(command, config, { [name]: "" })).msg).toMatch(new RegExp(`: ${name}$`));
});

test("DEL needs no namespace", async () => {
  for (const CNI_NETNS of ["", undefined])
    expect(await plugin("DEL", config, { CNI_NETNS })).toMatchObject({ exit: 0, stdout: "" });
});

test.each([
  ["CNI_CONTAINERID", "-leading"],
  ["CNI_CONTAINERID", "a/b"],
  ["CNI_CONTAINERID", "ä"],
  ["CNI_CONTAINERID", "a b"],
  ["CNI_IFNAME", "."],
  ["CNI_IFNAME", ".."],
  ["CNI_IFNAME", "eth0:1"],
  ["CNI_IFNAME", "a/b"],
  ["CNI_IFNAME", "a b"],
  ["CNI_IFNAME", "a\tb"],
  ["CNI_IFNAME", "sixteencharacter"],
])("%s=%j is refused", async (name, value) => {
  for (const command of ["ADD", "CHECK", "DEL"])
    expect(errorOf(await plugin(command, config, { [name]: value }))).toMatchObject({
      code: 4,
      msg: expect.stringContaining(name),
    });
});

test("GC, STATUS and VERSION need no attachment", async () => {
  const none = {
    CNI_CONTAINERID: undefined,
    CNI_NETNS: undefined,
    CNI_IFNAME: undefined,
    CNI_ARGS: undefined,
    CNI_PATH: undefined,
  };
  expect(errorOf(await plugin("GC", { ...config, "cni.dev/valid-attachments": [] }, none))).toMatchObject({ code: 11 });
  expect(errorOf(await plugin("STATUS", config, none))).toMatchObject({ code: 50 });
  expect(await plugin("VERSION", config, none)).toMatchObject({ exit: 0 });
});
