import { expect, test } from "vitest";
import { errorOf, networkConfig, plugin } from "./support/plugin.ts";
import { scriptedAgent } from "./support/scripted-agent.ts";

const MIB = 1024 * 1024;

test.each([
  ["nothing", ""],
  ["white space", " \n\t"],
  ["half an object", '{"cniVersion":"1.1.0"'],
  ["two objects", "{}{}"],
  ["a comma too many", '{"cniVersion":"1.1.0",}'],
  ["no JSON", "<xml/>"],
  ["a list", "[]"],
  ["a text", '"ADD"'],
  ["null", "null"],
  ["a version that is no text", '{"cniVersion":1.1,"name":"n"}'],
  ["bytes that are no UTF-8", Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])],
  ["an overlong slash", Buffer.from([0x22, 0xc0, 0xaf, 0x22])],
  ["a surrogate in UTF-8", Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22])],
  ["a NUL", "\0"],
  ["a byte order mark", "\ufeff{}"],
  ["65 lists in one another", `${"[".repeat(65)}${"]".repeat(65)}`],
  ["a million brackets", "[".repeat(MIB - 1)],
  ["a mebibyte and a byte", " ".repeat(MIB + 1)],
  ["ten mebibytes", Buffer.alloc(10 * MIB, 0x7b)],
])("%s on stdin is code 6 for every command", async (_, stdin) => {
  for (const command of ["ADD", "DEL", "CHECK", "GC", "STATUS"])
    expect(errorOf(await plugin(command, stdin))).toMatchObject({
      cniVersion: "1.1.0",
      code: 6,
      msg: expect.stringMatching(/./),
    });
});

test("the message says where the JSON ends to be JSON", async () => {
  const error = errorOf(await plugin("ADD", '{"cniVersion":"1.1.0", name:1}'));
  expect(error.details).toBe("at byte 23 of 30: a string was expected");
});

test("64 lists in one another are read, and a mebibyte is", async () => {
  await using agent = await scriptedAgent();
  const config = networkConfig({ socket: agent.socket, deep: JSON.parse(`${"[".repeat(63)}${"]".repeat(63)}`) });
  const text = JSON.stringify(config);
  expect(await plugin("ADD", text + " ".repeat(MIB - text.length))).toMatchObject({ exit: 0 });
});

test("a request that gets too long for the agent is refused before it is sent", async () => {
  await using agent = await scriptedAgent();
  const { prevResult, ...rest } = networkConfig({ socket: agent.socket }) as { prevResult: object };
  const filler = (n: number) => ({ ...rest, prevResult: { ...prevResult, x: "x".repeat(n) } });
  const stdin = filler(MIB - JSON.stringify(filler(0)).length);
  expect(errorOf(await plugin("ADD", stdin))).toMatchObject({ code: 7, msg: expect.stringContaining("too long") });
  expect(agent.requests).toEqual([]);
  // DEL does not send the result.
  expect(await plugin("DEL", stdin)).toMatchObject({ exit: 0, log: [] });
});

test.each([
  ["missing", {}],
  ["empty", { name: "" }],
  ["no text", { name: 1 }],
  ["with a slash", { name: "a/b" }],
  ["with a leading dot", { name: ".a" }],
  ["endless", { name: "a".repeat(300) }],
])("a network name that is %s is code 7", async (_, name) => {
  for (const command of ["ADD", "DEL", "STATUS"]) {
    const error = errorOf(await plugin(command, { cniVersion: "1.1.0", ...name }));
    expect(error).toMatchObject({ code: 7, msg: expect.stringContaining("name") });
  }
});
