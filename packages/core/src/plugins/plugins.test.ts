import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { z } from "zod";
import type { PluginContext } from "../backend/contract.ts";
import { definePlugin, type Plugin } from "../backend/define-plugin.ts";
import { type Logger, silentLogger } from "../logger.ts";
import { FakeRedirection } from "../testing/fake-redirection.ts";
import { veth } from "../testing/scenario.ts";
import { createBackend, type PluginHost } from "./create-backend.ts";
import { loadPlugin } from "./load-plugin.ts";
import { loadPlugins } from "./load-plugins.ts";
import { validatePlugin } from "./validate.ts";

const probe = { features: [], capable: true, summary: "everything is there" };

const good = definePlugin({
  name: "good",
  description: "for tests",
  apiVersion: 1,
  config: z.strictObject({ depth: z.int().default(3) }),
  create: () => ({ probe: async () => probe, open: async () => new FakeRedirection() }),
});

const host: PluginHost = {
  backends: { good: { depth: 5 } },
  policy: { failurePolicy: "closed", localDelivery: "direct" },
  host: { bpffs: "/sys/fs/bpf", journal: "/tmp/journal" },
  log: silentLogger,
  signal: new AbortController().signal,
};

let directory: string;
const source = (name: string) => `
  import { z } from ${JSON.stringify(import.meta.resolve("zod"))};
  export default { name: "${name}", description: "d", apiVersion: 1, config: z.strictObject({}), create: () => ({}) };
`;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "millrace-plugins-"));
  const files: Record<string, string> = {
    "mine.mjs": source("mine"),
    "named.mjs": source("named").replace("export default", "export const plugin ="),
    "throws.mjs": "throw new Error('no libbpf here')",
    "nothing.mjs": "export const x = 1",
    "old.mjs": "export default { name: 'old', apiVersion: 0 }",
    "folder/index.js": "",
    "node_modules/with-default/package.json": JSON.stringify({
      name: "with-default",
      type: "module",
      exports: "./main.js",
    }),
    "node_modules/with-default/main.js": source("with-default"),
    "node_modules/@acme/import-only/package.json": JSON.stringify({
      name: "@acme/import-only",
      type: "module",
      exports: { ".": { import: "./dist/main.js" } },
    }),
    "node_modules/@acme/import-only/dist/main.js": source("import-only"),
  };
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(directory, name)), { recursive: true });
    writeFileSync(join(directory, name), content);
  }
});

afterAll(() => rmSync(directory, { recursive: true }));

describe("loading", () => {
  test.each([
    ["./mine.mjs", "mine"],
    ["./named.mjs", "named"],
    ["with-default", "with-default"],
    ["@acme/import-only", "import-only"],
  ])("%s", async (nameOrPath, name) => {
    expect((await loadPlugin(nameOrPath, directory)).name).toBe(name);
  });

  test("an absolute path needs no directory to start from", async () => {
    expect((await loadPlugin(join(directory, "mine.mjs"), "/")).name).toBe("mine");
  });

  test.each<[string, string, RegExp]>([
    ["./none.mjs", "ERR_PLUGIN_NOT_FOUND", /\.\/none\.mjs: there is no such file \(looked for \/.*none\.mjs\)/],
    ["./folder", "ERR_PLUGIN_NOT_FOUND", /name the module itself, for instance index\.js/],
    [
      "no-such-package",
      "ERR_PLUGIN_NOT_FOUND",
      /there is no package no-such-package to be found from .*Install it there/,
    ],
    ["./throws.mjs", "ERR_PLUGIN_FAILED", /throws\.mjs.*could not be loaded: no libbpf here/],
    ["./nothing.mjs", "ERR_PLUGIN_INVALID", /its default export must be the value that definePlugin/],
    ["./old.mjs", "ERR_PLUGIN_INVALID", /its apiVersion is 0, this version of Millrace speaks 1\. Upgrade the plugin/],
  ])("%s is refused: %s", async (nameOrPath, code, message) => {
    await expect(loadPlugin(nameOrPath, directory)).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
    });
  });

  test("built-in ones come first, and no name is taken twice", async () => {
    const loaded = await loadPlugins([good], ["./mine.mjs", "with-default"], directory, { log: silentLogger });
    expect(loaded.map(({ name }) => name)).toEqual(["good", "mine", "with-default"]);
    const twice = loadPlugins([good], ["./mine.mjs", "./mine.mjs"], directory, { log: silentLogger });
    await expect(twice).rejects.toMatchObject({
      code: "ERR_PLUGIN_DUPLICATE",
      message: expect.stringContaining("already a plugin called mine"),
    });
  });

  test("one that fails while it is loaded keeps none of the others from being there", async () => {
    const loaded = await loadPlugins([good], ["./throws.mjs", "./mine.mjs"], directory, { log: silentLogger });
    expect(loaded.map(({ name }) => name)).toEqual(["good", "./throws.mjs", "mine"]);
    await expect(createBackend(loaded[1] as Plugin, host)).rejects.toMatchObject({
      plugin: "./throws.mjs",
      code: "ERR_PLUGIN_FAILED",
      message: expect.stringContaining("no libbpf here"),
    });
  });

  test("one of another version is a mistake, and told as one", async () => {
    await expect(loadPlugins([], ["./old.mjs"], directory, { log: silentLogger })).rejects.toMatchObject({
      code: "ERR_PLUGIN_INVALID",
      message: expect.stringMatching(/its apiVersion is 0, .* Upgrade the plugin/),
    });
  });
});

describe("validation", () => {
  test("a plugin is taken as it is", () => {
    expect(validatePlugin(good, "good")).toBe(good);
  });

  test.each<[string, object, RegExp]>([
    [
      "a newer contract",
      { apiVersion: 2 },
      /its apiVersion is 2, this version of Millrace speaks 1\. Upgrade Millrace/,
    ],
    ["no apiVersion", { apiVersion: undefined }, /its apiVersion is none/],
    ["a name with capitals", { name: "eBPF" }, /`name` must be lower-case letters, digits and dashes/],
    ["the name auto", { name: "auto" }, /not `auto`/],
    ["no description", { description: "" }, /`description`/],
    ["a configuration that is no schema", { config: {} }, /`config` must be a zod 4 schema/],
    ["claims that are no list", { claims: "outbound-tcp" }, /`claims` must be the ids of behaviours/],
    ["no create", { create: undefined }, /`create` must be a function/],
  ])("%s", (_, changes, message) => {
    expect(() => validatePlugin({ ...good, ...changes }, "x")).toThrow(message);
  });

  test("everything that is wrong is told at once", () => {
    expect(() => validatePlugin({ apiVersion: 1 }, "./x.js")).toThrow(
      /\.\/x\.js is not a plugin: `name`.*`description`.*`config`.*`create`/s,
    );
  });
});

describe("a backend", () => {
  const withRedirection = (redirection: FakeRedirection, changes: Partial<Plugin> = {}) => ({
    ...(good as unknown as Plugin),
    create: () => ({ probe: async () => probe, open: async () => redirection }),
    ...changes,
  });

  test("is made with its own configuration, with defaults, and a logger that carries its name", async () => {
    const contexts: PluginContext<unknown>[] = [];
    const plugin: Plugin = {
      ...(good as unknown as Plugin),
      create: (context) => {
        contexts.push(context);
        return { probe: async () => probe, open: async () => new FakeRedirection() };
      },
    };
    const child = vi.fn(() => silentLogger);
    await createBackend(plugin, { ...host, log: { ...silentLogger, child } as Logger });
    await createBackend(plugin, { ...host, backends: {} });
    expect(contexts.map(({ config }) => config)).toEqual([{ depth: 5 }, { depth: 3 }]);
    expect(contexts[0]).toMatchObject({ policy: { failurePolicy: "closed" }, host: { bpffs: "/sys/fs/bpf" } });
    expect(child).toHaveBeenCalledWith({ plugin: "good" });
  });

  test("whose configuration is wrong is not made", async () => {
    const backends = { good: { depth: "deep", dpeth: 1 } };
    await expect(createBackend(good as unknown as Plugin, { ...host, backends })).rejects.toMatchObject({
      code: "ERR_PLUGIN_CONFIG_INVALID",
      message: expect.stringMatching(/^backends\.good: .*depth/s),
    });
  });

  test("passes every verb on", async () => {
    const redirection = new FakeRedirection();
    const opened = await (await createBackend(withRedirection(redirection), host)).open();
    const { data } = veth(1);
    const workload = {
      uid: "uid-1",
      namespace: "shop",
      name: "pod-1",
      addresses: [],
      interface: { netns: data.netns, netnsInode: 1, name: "eth0", mac: data.mac, hostName: "v", hostIndex: 1 },
      enrolExisting: "drain" as const,
      dnsCapture: false,
      exclusions: { outboundPorts: [], outboundCidrs: [], inboundPorts: [], inboundCidrs: [] },
    };
    await opened.apply(workload);
    await opened.useNode({ addresses: ["198.19.0.1"] });
    await opened.useProxies({ draining: [] });
    expect((await opened.observe()).workloads).toHaveLength(1);
    await opened.remove("uid-1");
    await opened.uninstall();
    await opened[Symbol.asyncDispose]();
    expect(redirection.calls).toEqual(["apply uid-1", "useNode 198.19.0.1", "useProxies none", "remove uid-1"]);
  });

  test("whatever it throws carries its name and what it did, and keeps its code", async () => {
    const redirection = new FakeRedirection();
    const cause = Object.assign(new Error("no such device"), { code: "ENODEV" });
    redirection.before.set("remove", () => {
      throw cause;
    });
    const opened = await (await createBackend(withRedirection(redirection), host)).open();
    await expect(opened.remove("uid-1")).rejects.toMatchObject({
      name: "PluginError",
      plugin: "good",
      code: "ENODEV",
      message: "good: remove uid-1: no such device",
      cause,
    });
    const broken = withRedirection(redirection, {
      create: () => {
        throw "a string";
      },
    });
    await expect(createBackend(broken, host)).rejects.toMatchObject({
      message: "good: create: a string",
      code: "ERR_UNEXPECTED",
    });
  });
});
