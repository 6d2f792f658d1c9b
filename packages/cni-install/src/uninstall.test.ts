import { existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { silentLogger } from "@millrace/core/internal";
import { expect, test } from "vitest";
import { type Before, InstallJournal } from "./files/journal.ts";
import { ENTRY } from "./testing/entry.test.kit.ts";
import { LIST, SINGLE, TestNode } from "./testing/node.test.kit.ts";
import { uninstallCni } from "./uninstall.ts";

/** As a program writes a list that it has parsed: other white space, other order. */
const rewritten = (list: object) => JSON.stringify(list, undefined, 1);

test("nothing was installed: nothing to do, twice", () => {
  using node = new TestNode();
  node.write("10-net.conflist", LIST);
  const before = node.snapshot();
  expect(node.uninstall()).toEqual({ removed: [], left: [], kept: [] });
  expect(node.snapshot()).toEqual(before);
});

test("says what it has put back, and that there is nothing the second time; the journal is gone", async () => {
  using node = new TestNode();
  node.write("10-net.conflist", LIST);
  await node.install();
  expect(node.uninstall()).toEqual({
    removed: [`entry in ${node.conf("10-net.conflist")}`, `CNI plugin ${node.plugin}`],
    left: [],
    kept: [],
  });
  expect(existsSync(node.options.journal)).toBe(false);
  expect(node.uninstall()).toEqual({ removed: [], left: [], kept: [] });
});

test("the plugin may stay for pods that end by it, and goes another time", async () => {
  using node = new TestNode();
  node.write("10-net.conflist", LIST);
  const before = node.snapshot();
  await node.install();
  const { removed, left, kept } = uninstallCni({ ...node.options, keepPlugin: true });
  expect({ removed, left }).toEqual({ removed: [`entry in ${node.conf("10-net.conflist")}`], left: [] });
  expect(kept).toEqual([expect.stringContaining(node.plugin)]);
  expect(existsSync(node.plugin)).toBe(true);
  expect(node.uninstall()).toEqual({ removed: [`CNI plugin ${node.plugin}`], left: [], kept: [] });
  expect(node.snapshot()).toEqual(before);
});

test("the primary's owner has written its file again, without us", async () => {
  using node = new TestNode();
  node.write("10-net.conflist", LIST);
  await node.install();
  const theirs = LIST.replace("1.5e3", "9000");
  node.write("10-net.conflist", theirs, 0o600);
  const before = node.snapshot();
  expect(node.uninstall().left).toEqual([]);
  expect({ ...node.snapshot(), [node.plugin]: before[node.plugin] }).toEqual(before);
});

test("somebody has written the list again with our entry in it: the entry goes, and every other byte stays", async () => {
  using node = new TestNode();
  node.write("10-net.conflist", LIST);
  await node.install();
  const list = node.list("10-net.conflist");
  node.write("10-net.conflist", rewritten({ ...list, plugins: [...list.plugins, { type: "istio-cni" }] }));
  node.uninstall();
  const theirs = { ...list, plugins: [list.plugins[0], { type: "istio-cni" }] };
  expect(node.read("10-net.conflist")).toBe(rewritten(theirs));
});

test("the primary is gone: its file does not come back", async () => {
  using node = new TestNode();
  node.write("10-net.conf", SINGLE);
  await node.install();
  rmSync(node.conf("10-net.conflist"));
  expect(node.uninstall().left).toEqual([]);
  expect(node.names()).toEqual([]);
});

test("a single plugin's file that its owner has written again stays as it is, and our list goes", async () => {
  using node = new TestNode();
  node.write("10-net.conf", SINGLE);
  await node.install();
  const newer = SINGLE.replace("1.5e3", "9000");
  node.write("10-net.conf", newer);
  node.uninstall();
  expect(node.names()).toEqual(["10-net.conf"]);
  expect(node.read("10-net.conf")).toBe(newer);
});

test("somebody else has an entry in the list that was a single plugin's file: it stays a list, without ours", async () => {
  using node = new TestNode();
  node.write("10-net.conf", SINGLE);
  await node.install();
  const list = node.list("10-net.conflist");
  node.write("10-net.conflist", rewritten({ ...list, plugins: [...list.plugins, { type: "istio-cni" }] }));
  expect(node.uninstall().left).toEqual([]);
  expect(node.names()).toEqual(["10-net.conflist"]);
  expect(node.types("10-net.conflist")).toEqual(["bridge", "istio-cni"]);
});

test("what Cilium has renamed is put back under that name", async () => {
  using edited = new TestNode();
  edited.write("10-net.conflist", LIST);
  await edited.install();
  renameSync(edited.conf("10-net.conflist"), edited.conf("10-net.conflist.cilium_bak"));
  edited.uninstall();
  expect(edited.read("10-net.conflist.cilium_bak")).toBe(LIST);

  using converted = new TestNode();
  converted.write("10-net.conf", SINGLE);
  await converted.install();
  renameSync(converted.conf("10-net.conflist"), converted.conf("10-net.conflist.cilium_bak"));
  converted.uninstall();
  expect(converted.names()).toEqual(["10-net.conf.cilium_bak"]);
  expect(converted.read("10-net.conf.cilium_bak")).toBe(SINGLE);

  using own = new TestNode({ ownConfig: true });
  own.write("10-net.conflist", LIST);
  await own.install();
  renameSync(own.conf("00-millrace.conflist"), own.conf("00-millrace.conflist.cilium_bak"));
  own.uninstall();
  expect(own.names()).toEqual(["10-net.conflist"]);
});

test("what Cilium has renamed and we have written again goes under both names", async () => {
  using own = new TestNode({ ownConfig: true });
  own.write("10-net.conflist", LIST);
  const before = own.snapshot();
  await own.install();
  renameSync(own.conf("00-millrace.conflist"), own.conf("00-millrace.conflist.cilium_bak"));
  await own.install();
  expect(own.names()).toEqual(["00-millrace.conflist", "00-millrace.conflist.cilium_bak", "10-net.conflist"]);
  own.uninstall();
  expect(own.snapshot()).toEqual(before);

  using edited = new TestNode();
  edited.write("10-net.conflist", LIST);
  await edited.install();
  renameSync(edited.conf("10-net.conflist"), edited.conf("10-net.conflist.cilium_bak"));
  edited.write("10-net.conflist", LIST);
  await edited.install();
  edited.uninstall();
  expect(edited.names()).toEqual(["10-net.conflist", "10-net.conflist.cilium_bak"]);
  for (const name of edited.names()) expect(edited.read(name)).toBe(LIST);
});

test("a plugin that stood there before comes back, however often ours was upgraded", async () => {
  using node = new TestNode();
  writeFileSync(node.plugin, "somebody's", { mode: 0o711 });
  const before = node.snapshot();
  await node.install();
  writeFileSync(node.options.pluginSource, "newer");
  await node.install();
  expect(readFileSync(node.plugin, "utf8")).toBe("newer");
  node.uninstall();
  expect(node.snapshot()).toEqual(before);
});

test("a plugin that was there already, the same as ours, stays", async () => {
  using node = new TestNode();
  writeFileSync(node.plugin, "the plugin", { mode: 0o755 });
  const before = node.snapshot();
  expect(await node.install()).toMatchObject({ writes: 0 });
  node.uninstall();
  expect(node.snapshot()).toEqual(before);
});

test("killed between the journal and an upgrade: what was there by us is known all the same", async () => {
  using node = new TestNode();
  node.write("10-net.conf", SINGLE);
  await node.install();
  const journal = new InstallJournal(node.options.journal, silentLogger);
  for (const { version: _version, ...entry } of journal.entries()) {
    const newer = entry.kind === "plugin" ? entry.before : { ...(entry.before as Before), bytes: "bmV3ZXI=" };
    journal.note({ ...entry, before: newer, written: ["of what was never written", ...entry.written.slice(0, 1)] });
  }
  node.write("10-net.conf", "newer");
  expect(node.uninstall().left).toEqual([]);
  expect(node.names()).toEqual(["10-net.conf"]);
  expect(node.read("10-net.conf")).toBe("newer");
  expect(existsSync(node.plugin)).toBe(false);
});

test("a plugin that somebody has replaced since is left, and told", async () => {
  using node = new TestNode();
  await node.install();
  writeFileSync(node.plugin, "somebody's");
  expect(node.uninstall().left).toEqual([
    expect.stringMatching(/^\S+\/bin\/millrace: somebody has written something else/),
  ]);
  expect(readFileSync(node.plugin, "utf8")).toBe("somebody's");
});

test("without the journal, entries are found and taken out all the same", async () => {
  using node = new TestNode();
  node.write("10-net.conflist", LIST);
  node.write("20-other.conflist", rewritten({ cniVersion: "1.0.0", name: "o", plugins: [{ type: "a" }, ENTRY] }));
  await node.install();
  rmSync(node.options.journal, { recursive: true });
  expect(node.uninstall().kept).toEqual([expect.stringContaining(`${node.plugin}: the journal does not say`)]);
  expect(node.read("10-net.conflist")).toBe(LIST);
  expect(node.types("20-other.conflist")).toEqual(["a"]);
});

test("without the journal, a list of our own goes: it would be the network for ever", async () => {
  using node = new TestNode({ ownConfig: true });
  node.write("10-net.conflist", LIST);
  await node.install();
  renameSync(node.conf("00-millrace.conflist"), node.conf("00-millrace.conflist.cilium_bak"));
  await node.install();
  rmSync(node.options.journal, { recursive: true });
  expect(node.uninstall()).toMatchObject({
    left: [],
    removed: [expect.stringContaining("list "), expect.stringContaining("list ")],
  });
  expect(node.names()).toEqual(["10-net.conflist"]);
});

test("a journal entry that cannot be read is put aside, and the rest goes on", async () => {
  using node = new TestNode();
  node.write("10-net.conflist", LIST);
  await node.install();
  const directory = join(node.options.journal, "cni-install");
  const [file = ""] = readdirSync(directory).filter((name) => name.startsWith("config-"));
  writeFileSync(join(directory, file), "{");
  node.uninstall();
  expect(node.read("10-net.conflist")).toBe(LIST);
  expect(readdirSync(directory)).toEqual([file.replace(/json$/, "damaged")]);
});

test("half written files of a run that was killed are swept", async () => {
  using node = new TestNode();
  node.write("10-net.conflist", LIST);
  const before = node.snapshot();
  const temporary = ".millrace-0123456789abcdef.tmp";
  writeFileSync(node.conf(temporary), "half");
  writeFileSync(join(node.options.cniBinDir, temporary), "half");
  await node.install();
  expect(node.names()).toEqual(["10-net.conflist"]);
  writeFileSync(node.conf(temporary), "half");
  node.uninstall();
  expect(node.snapshot()).toEqual(before);
});
