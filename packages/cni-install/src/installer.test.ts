import { spawn } from "node:child_process";
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { MAX_CONFIG_BYTES } from "./network/read-network.ts";
import { ENTRY } from "./testing/entry.test.kit.ts";
import { LIST, SINGLE, TestNode } from "./testing/node.test.kit.ts";
import { chain, oddList, oddPlugin, oddSingle } from "./testing/odd-json.test.kit.ts";
import { viewCni } from "./view.ts";

const BY = ["bridge", "millrace"];

test("the plugin and the entry are there, and a second look writes nothing", async () => {
  using node = new TestNode();
  node.write("10-net.conflist", LIST, 0o640);
  const state = await node.install();
  expect(state).toMatchObject({
    state: "installed",
    config: { file: "10-net.conflist", kind: "edited", network: "net" },
    writes: 2,
  });
  expect(node.list("10-net.conflist")).toMatchObject({ cniVersion: "1.0.0", plugins: [{ type: "bridge" }, ENTRY] });
  expect(node.read("10-net.conflist")).toContain('"mtu": 1.5e3');
  expect(statSync(node.conf("10-net.conflist")).mode & 0o7777).toBe(0o640);
  expect(readFileSync(node.plugin, "utf8")).toBe("the plugin");
  expect(statSync(node.plugin).mode & 0o7777).toBe(0o755);
  const inodes = () => [node.plugin, node.conf("10-net.conflist")].map((path) => statSync(path).ino);
  const before = inodes();
  expect(await node.install()).toMatchObject({ state: "installed", writes: 0 });
  expect(inodes()).toEqual(before);
});

test("the first valid file counts, in the order of the bytes of the names; what is invalid before it is told", async () => {
  using node = new TestNode();
  node.write("05-broken.conflist", '{"name":"b","plugins":[');
  node.write("06-list-in.conf", LIST);
  node.write("07-other.txt", LIST);
  mkdirSync(node.conf("08-directory.conflist"));
  symlinkSync("nowhere", node.conf("08-link.conflist"));
  node.write("a.conflist", LIST);
  node.write("B.conflist", LIST);
  const { state, warnings } = await node.install();
  expect(state).toBe("installed");
  expect(node.types("B.conflist")).toEqual(BY);
  expect(node.read("a.conflist")).toBe(LIST);
  expect(warnings.map(({ code, message }) => [code, message.split(" ")[0]])).toEqual([
    ["INVALID_CONFIG_FIRST", "05-broken.conflist"],
    ["INVALID_CONFIG_FIRST", "06-list-in.conf"],
    ["INVALID_CONFIG_FIRST", "08-link.conflist"],
  ]);
});

test.each(["10-net.conf", "10-net.json"])("%s becomes a list, and comes back", async (name) => {
  using node = new TestNode();
  node.write(name, SINGLE, 0o600);
  const before = node.snapshot();
  expect(await node.install()).toMatchObject({ state: "installed", config: { kind: "converted" } });
  expect(node.names()).toEqual(["10-net.conflist"]);
  expect(node.list("10-net.conflist")).toMatchObject({
    name: "net",
    cniVersion: "0.3.1",
    plugins: [JSON.parse(SINGLE), ENTRY],
  });
  expect(await node.install()).toMatchObject({ writes: 0, config: { kind: "converted" } });
  expect(node.uninstall()).toMatchObject({ left: [] });
  expect(node.snapshot()).toEqual(before);
});

test("a single plugin's file whose name as a list is taken", async () => {
  using node = new TestNode();
  node.write("10-net.conf", SINGLE);
  node.write("10-net.conflist", LIST);
  const before = node.snapshot();
  expect(await node.install()).toMatchObject({ state: "installed", config: { file: "10-net.conf.conflist" } });
  expect(node.names()).toEqual(["10-net.conf.conflist", "10-net.conflist"]);
  expect(node.read("10-net.conflist")).toBe(LIST);
  node.uninstall();
  expect(node.snapshot()).toEqual(before);
});

test("the owner of a single plugin's file writes it again: it becomes a list again, and what comes back is the newest", async () => {
  using node = new TestNode();
  node.write("10-net.conf", SINGLE);
  await node.install();
  const newer = SINGLE.replace("1.5e3", "9000");
  node.write("10-net.conf", newer);
  expect(await node.install()).toMatchObject({ state: "installed" });
  expect(node.names()).toEqual(["10-net.conflist"]);
  expect(node.read("10-net.conflist")).toContain("9000");
  node.uninstall();
  expect(node.names()).toEqual(["10-net.conf"]);
  expect(node.read("10-net.conf")).toBe(newer);
});

test("the entry follows our configuration, and the primary's file stays what it was otherwise", async () => {
  using node = new TestNode();
  node.write("10-net.conflist", LIST);
  await node.install();
  const entry = { ...ENTRY, failurePolicy: "open" };
  expect(await node.install({ entry })).toMatchObject({ state: "installed", writes: 1 });
  expect(node.list("10-net.conflist").plugins.at(-1)).toEqual(entry);
  node.uninstall();
  expect(node.read("10-net.conflist")).toBe(LIST);
});

test("another primary takes over: the one before gets its file back", async () => {
  using node = new TestNode();
  node.write("87-podman.conflist", LIST);
  await node.install();
  node.write("10-net.conflist", LIST);
  await node.install();
  expect(node.types("10-net.conflist")).toEqual(BY);
  expect(node.read("87-podman.conflist")).toBe(LIST);
});

test("the directories are others by now: what was changed in those before is put back", async () => {
  using before = new TestNode();
  using node = new TestNode();
  for (const each of [before, node]) each.write("10-net.conflist", LIST);
  const snapshot = before.snapshot();
  await before.install();
  await before.install({ cniConfDir: node.options.cniConfDir });
  expect(before.read("10-net.conflist")).toBe(LIST);
  expect(node.types("10-net.conflist")).toEqual(BY);
  before.uninstall();
  expect(before.snapshot()).toEqual(snapshot);
  expect(node.read("10-net.conflist")).toBe(LIST);
});

test("no configuration, no directory: waiting, and no error; the plugin is there already", async () => {
  using node = new TestNode();
  expect(await node.install()).toMatchObject({ state: "waiting", detail: expect.stringContaining("no valid network") });
  expect(readFileSync(node.plugin, "utf8")).toBe("the plugin");
  rmSync(node.options.cniConfDir, { recursive: true });
  rmSync(node.options.cniBinDir, { recursive: true });
  expect(await node.install()).toMatchObject({
    state: "waiting",
    detail: expect.stringContaining("there is no directory"),
  });
});

test("a list that was left with nothing but our entry is nobody's network", async () => {
  using node = new TestNode();
  node.write("10-net.conflist", JSON.stringify({ cniVersion: "1.0.0", name: "n", plugins: [ENTRY] }));
  expect(await node.install()).toMatchObject({ state: "waiting" });
});

test.each([
  ["no cniVersion", LIST.replace('"cniVersion": "1.0.0",', ""), /names no cniVersion/],
  ["an old version", LIST.replace("1.0.0", "0.2.0"), /version 0\.2\.0/],
  ["a version to come", LIST.replace('"cniVersion": "1.0.0"', '"cniVersions": ["1.0.0", "1.2.0"]'), /version 1\.2\.0/],
  ["plugins in a directory", '{"cniVersion":"1.1.0","name":"net"}', /in a directory of their own/],
])("refused, and everything left as it was: %s", async (_what, text, why) => {
  using node = new TestNode();
  node.write("10-net.conflist", text);
  expect(await node.install()).toMatchObject({ state: "refused", detail: expect.stringMatching(why) });
  expect(node.read("10-net.conflist")).toBe(text);
});

test("a version that our plugin does not speak comes while our entry is there: it goes, or no pod would start", async () => {
  using node = new TestNode();
  node.write("10-net.conflist", LIST);
  await node.install();
  node.write("10-net.conflist", node.read("10-net.conflist").replace("1.0.0", "2.0.0"));
  expect(await node.install()).toMatchObject({ state: "refused" });
  expect(node.read("10-net.conflist")).toBe(LIST.replace("1.0.0", "2.0.0"));
});

test("a symbolic link is not replaced by a file; a list of our own works beside it", async () => {
  using node = new TestNode();
  writeFileSync(join(node.directory, "elsewhere"), LIST);
  symlinkSync(join(node.directory, "elsewhere"), node.conf("10-net.conflist"));
  expect(await node.install()).toMatchObject({
    state: "refused",
    detail: expect.stringContaining("install.ownConfig"),
  });
  expect(await node.install({ ownConfig: true })).toMatchObject({ state: "installed" });
  expect(node.types("00-millrace.conflist")).toEqual(BY);
});

test("ownConfig: a copy of the primary's with our entry comes first, follows it, and goes with it", async () => {
  using node = new TestNode({ ownConfig: true });
  node.write("10-net.conflist", LIST, 0o600);
  expect(await node.install()).toMatchObject({
    state: "installed",
    config: { file: "00-millrace.conflist", kind: "own", network: "net" },
  });
  expect(node.read("10-net.conflist")).toBe(LIST);
  expect(node.list("00-millrace.conflist")).toMatchObject({
    name: "net",
    cniVersion: "1.0.0",
    plugins: [{ type: "bridge" }, ENTRY],
  });
  expect(statSync(node.conf("00-millrace.conflist")).mode & 0o777).toBe(0o600);
  node.write("10-net.conflist", LIST.replace("1.5e3", "9000"));
  await node.install();
  expect(node.read("00-millrace.conflist")).toContain("9000");
  node.write("10-net.conflist", "half of it");
  expect(await node.install()).toMatchObject({ state: "waiting" });
  expect(node.types("00-millrace.conflist")).toEqual(BY);
  rmSync(node.conf("10-net.conflist"));
  expect(await node.install()).toMatchObject({ state: "waiting" });
  expect(node.names()).toEqual([]);
});

test("ownConfig: a single plugin's file is copied as a list and stays", async () => {
  using node = new TestNode({ ownConfig: true });
  node.write("10-net.conf", SINGLE);
  await node.install();
  expect(node.names()).toEqual(["00-millrace.conflist", "10-net.conf"]);
  expect(node.read("10-net.conf")).toBe(SINGLE);
  expect(node.types("00-millrace.conflist")).toEqual(BY);
});

test("Multus is first: our entry goes into its default network's list, and Multus' own file stays", async () => {
  using node = new TestNode();
  const multus = {
    cniVersion: "0.3.1",
    name: "m",
    type: "multus-shim",
    clusterNetwork: "/host/etc/cni/net.d/20-b.conflist",
  };
  node.write("00-multus.conf", JSON.stringify(multus));
  node.write("10-a.conflist", LIST);
  node.write("20-b.conflist", LIST);
  const before = node.snapshot();
  await node.install();
  expect(node.types("20-b.conflist")).toEqual(BY);
  node.write("00-multus.conf", JSON.stringify({ ...multus, clusterNetwork: undefined, delegates: [{}] }));
  expect(await node.install()).toMatchObject({ state: "installed", config: { file: "10-a.conflist" } });
  expect(node.types("10-a.conflist")).toEqual(BY);
  expect(node.read("20-b.conflist")).toBe(LIST);
  expect(viewCni(node.options)).toMatchObject({ used: "10-a.conflist", hasEntry: true });
  node.write("00-multus.conf", JSON.stringify(multus));
  expect(viewCni(node.options)).toMatchObject({ used: "20-b.conflist", hasEntry: false });
  node.uninstall();
  expect(node.snapshot()).toEqual(before);
});

test("Multus is first, and its default network is a single plugin that it names by its file: refused", async () => {
  using node = new TestNode();
  const multus = { cniVersion: "0.3.1", name: "m", type: "multus", clusterNetwork: "/etc/cni/net.d/10-net.conf" };
  node.write("00-multus.conf", JSON.stringify(multus));
  node.write("10-net.conf", SINGLE);
  expect(await node.install()).toMatchObject({
    state: "refused",
    detail: expect.stringMatching(/10-net\.conf .*make it a list/),
  });
  expect(node.read("10-net.conf")).toBe(SINGLE);
});

test("Multus alone, with its default network elsewhere: its own file becomes a list", async () => {
  using node = new TestNode();
  node.write("00-multus.conf", SINGLE.replace("bridge", "multus-shim"));
  expect(await node.install()).toMatchObject({
    state: "installed",
    config: { file: "00-multus.conflist", kind: "converted" },
  });
});

test("ownConfig: what sorts before ours is told; with Multus it is refused, which it would put out of use", async () => {
  using node = new TestNode({ ownConfig: true });
  node.write("00-a.conflist", LIST);
  expect(await node.install()).toMatchObject({ warnings: [{ code: "NOT_FIRST" }] });
  node.write("00-a.conflist", LIST.replace('"bridge"', '"multus-shim"'));
  expect(await node.install()).toMatchObject({ state: "refused", detail: expect.stringContaining("Multus") });
  expect(node.names()).toEqual(["00-a.conflist"]);
});

test("between both ways of installing, and back", async () => {
  using node = new TestNode();
  node.write("10-net.conflist", LIST);
  const before = node.snapshot();
  await node.install();
  await node.install({ ownConfig: true });
  expect(node.read("10-net.conflist")).toBe(LIST);
  await node.install();
  expect(node.names()).toEqual(["10-net.conflist"]);
  expect(node.types("10-net.conflist")).toEqual(BY);
  node.uninstall();
  expect(node.snapshot()).toEqual(before);
});

test("without the journal, a list of our own that is not wanted any more goes", async () => {
  using node = new TestNode();
  node.write("10-net.conflist", LIST);
  await node.install({ ownConfig: true });
  rmSync(node.options.journal, { recursive: true });
  expect(await node.install()).toMatchObject({ state: "installed", config: { file: "10-net.conflist" } });
  expect(node.names()).toEqual(["10-net.conflist"]);
});

test("somebody else's list of that name is left alone", async () => {
  using node = new TestNode();
  node.write("10-net.conflist", LIST);
  node.write("00-millrace.conflist", LIST);
  await node.install();
  expect(node.read("00-millrace.conflist")).toBe(LIST);
});

test("a list that our entry would make larger than containerd reads is refused, and stays", async () => {
  const room = MAX_CONFIG_BYTES - LIST.length;
  for (const ownConfig of [false, true]) {
    using node = new TestNode({ ownConfig });
    const large = LIST.replace('"bridge"', `"bridge", "x": "${"x".repeat(room - ', "x": ""'.length)}"`);
    expect(large.length).toBe(MAX_CONFIG_BYTES);
    node.write("10-net.conflist", large);
    expect(await node.install()).toMatchObject({ state: "refused", detail: expect.stringContaining("larger than") });
    expect(node.names()).toEqual(["10-net.conflist"]);
    expect(node.read("10-net.conflist") === large).toBe(true);
  }
});

test("what Cilium puts out of the way is told, with the setting that ends it", async () => {
  using node = new TestNode({ ownConfig: true });
  node.write("10-net.conflist", LIST);
  node.write("87-podman.conflist.cilium_bak", LIST);
  expect((await node.install()).warnings).toEqual([]);
  renameSync(node.conf("00-millrace.conflist"), node.conf("00-millrace.conflist.cilium_bak"));
  const told = [{ code: "CILIUM_EXCLUSIVE", message: expect.stringMatching(/00-millrace.*cni\.exclusive=false/) }];
  expect((await node.install()).warnings).toEqual(told);
  rmSync(node.conf("00-millrace.conflist.cilium_bak"));
  node.write("05-cilium.conflist", LIST.replace('"bridge"', '"cilium-cni"'));
  const alone = [{ code: "CILIUM_EXCLUSIVE", message: expect.stringMatching(/87-podman.*cni\.exclusive=false/) }];
  expect((await node.install()).warnings).toEqual(alone);
});

test("our configuration changes while a single plugin's file is a list: it is that file that comes back", async () => {
  using node = new TestNode();
  node.write("10-net.conf", SINGLE);
  const before = node.snapshot();
  await node.install();
  expect(await node.install({ entry: { ...ENTRY, failurePolicy: "open" } })).toMatchObject({
    writes: 1,
    config: { kind: "converted" },
  });
  node.uninstall();
  expect(node.snapshot()).toEqual(before);
});

test("the plugin: a newer one replaces the older while it runs, the same is left, a wrong mode is mended", async () => {
  using node = new TestNode();
  rmSync(node.options.pluginSource);
  writeFileSync(node.options.pluginSource, readFileSync("/bin/sleep"));
  await node.install();
  const child = spawn(node.plugin, ["60"]);
  try {
    writeFileSync(node.options.pluginSource, "newer");
    expect(await node.install()).toMatchObject({ state: "waiting", writes: 1 });
    expect(readFileSync(node.plugin, "utf8")).toBe("newer");
  } finally {
    child.kill("SIGKILL");
  }
  chmodSync(node.plugin, 0o600);
  expect(await node.install()).toMatchObject({ writes: 0 });
  expect(statSync(node.plugin).mode & 0o7777).toBe(0o755);
  node.uninstall();
  expect(readdirSync(node.options.cniBinDir)).toEqual([]);
});

test("a plugin that cannot be read is a failure that says where to name it, and no entry is written", async () => {
  using node = new TestNode();
  node.write("10-net.conflist", LIST);
  rmSync(node.options.pluginSource);
  expect(await node.install()).toMatchObject({
    state: "failed",
    detail: expect.stringMatching(/^ERR_PLUGIN_SOURCE: .*install\.pluginSource/),
  });
  expect(node.read("10-net.conflist")).toBe(LIST);
});

test("property: any list in any formatting is byte for byte as before, and so is any single plugin's file", async () => {
  const files = fc.oneof(
    chain.chain((types) => oddList(types.map(oddPlugin))).map((text) => ["10-net.conflist", text] as const),
    oddSingle.map((text) => ["10-net.conf", text] as const),
  );
  const property = fc.asyncProperty(files, fc.boolean(), async ([name, text], ownConfig) => {
    using node = new TestNode({ ownConfig });
    node.write(name, Buffer.from(text, "latin1"));
    const before = node.snapshot();
    expect(await node.install()).toMatchObject({ state: "installed" });
    expect(node.uninstall().left).toEqual([]);
    expect(node.snapshot()).toEqual(before);
  });
  await fc.assert(property, { numRuns: 60 });
});
