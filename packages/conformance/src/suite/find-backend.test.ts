import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { findBackend } from "./find-backend.ts";

const IDLE = new URL("../testing/idle-backend.ts", import.meta.url).href;
const plugin = (name: string, more = ""): string =>
  `import idle from ${JSON.stringify(IDLE)}; export default { ...idle, name: "${name}", ${more} };`;
const exported = { type: "module", exports: { ".": { types: "./x.d.ts", import: "./src/main.js" } } };

let directory: string;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "millrace-find-"));
  const files = {
    "package.json": JSON.stringify({ name: "here", ...exported }),
    "src/main.js": plugin("here", "claims: ['icmp']"),
    "plain/index.js": plugin("plain"),
    "plain/package.json": JSON.stringify({ name: "plain", type: "module" }),
    "unbuilt/package.json": JSON.stringify({ name: "unbuilt", ...exported }),
    "node_modules/@acme/there/package.json": JSON.stringify({ name: "@acme/there", ...exported }),
    "node_modules/@acme/there/src/main.js": plugin("there"),
  };
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(directory, name)), { recursive: true });
    writeFileSync(join(directory, name), content);
  }
});

afterAll(() => rmSync(directory, { recursive: true }));

it.each([
  ["ebpf", { name: "ebpf", plugins: [] }],
  [".", { name: "here", plugins: ["src/main.js"], claims: ["icmp"] }],
  ["./", { name: "here", plugins: ["src/main.js"], claims: ["icmp"] }],
  ["./src/main.js", { name: "here", plugins: ["src/main.js"], claims: ["icmp"] }],
  ["./plain", { name: "plain", plugins: ["plain/index.js"] }],
  ["@acme/there", { name: "there", plugins: ["node_modules/@acme/there/src/main.js"] }],
])("finds %s", async (wanted, found) => {
  const plugins = found.plugins.map((path) => join(directory, path));
  expect(await findBackend(wanted, [], directory)).toEqual({ ...found, plugins });
});

it("finds one of the plugins by its own name, and another with it", async () => {
  const plain = join(directory, "plain/index.js");
  expect(await findBackend("plain", ["./plain"], directory)).toEqual({ name: "plain", plugins: [plain] });
  const here = join(directory, "src/main.js");
  expect(await findBackend(".", ["./plain"], directory)).toMatchObject({ name: "here", plugins: [plain, here] });
});

it.each([
  ["./nowhere", "ERR_PLUGIN_NOT_FOUND", /nowhere/],
  ["nobody", "ERR_PLUGIN_NOT_FOUND", /no package nobody/],
  ["plain", "ERR_SUITE_USAGE", /write \.\/plain/],
  ["./unbuilt", "ERR_SUITE_USAGE", /build the backend first/],
])("does not find %s: %s", async (wanted, code, message) => {
  await expect(findBackend(wanted, [], directory)).rejects.toMatchObject({
    code,
    message: expect.stringMatching(message),
  });
});
