import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { silentLogger } from "@millrace/core/internal";
import { afterEach, beforeEach, expect, test } from "vitest";
import { cniTraces, readCniFiles } from "./cni-files.ts";
import { installOnce } from "./installer.ts";
import { TestNode } from "./testing/node.test.kit.ts";
import { uninstallCni } from "./uninstall.ts";

const LIST = '{ "cniVersion": "1.0.0", "name": "net", "plugins": [ { "type": "bridge" } ] }\n';
const SINGLE = '{ "cniVersion": "1.0.0", "name": "net", "type": "ovn" }\n';

let node: TestNode;
beforeEach(() => {
  node = new TestNode();
});
afterEach(() => node[Symbol.dispose]());

const install = () => installOnce(node.options, new AbortController().signal);
const uninstall = () => uninstallCni({ ...node.options, log: silentLogger });
const loseJournal = () => rmSync(node.options.journal, { recursive: true });

test("what was installed is found, and nothing once it is uninstalled", async () => {
  node.write("10-net.conflist", LIST);
  const before = readCniFiles(node.options);
  expect(cniTraces(node.options, before)).toEqual({ left: [], unclaimed: [] });
  await install();
  const left = [`entry in ${node.conf("10-net.conflist")}`, `CNI plugin ${node.plugin}`];
  expect(cniTraces(node.options, before)).toEqual({ left, unclaimed: [] });
  uninstall();
  expect(cniTraces(node.options, before)).toEqual({ left: [], unclaimed: [] });
  expect(readCniFiles(node.options)).toEqual(before);
});

test("a list that stands where a single plugin was is ours, also without our entry", async () => {
  node.write("10-ovn.conf", SINGLE);
  const before = readCniFiles(node.options);
  await install();
  loseJournal();
  uninstall(); // takes the entry out, and cannot know more
  expect(cniTraces(node.options, before).left).toEqual([
    `list ${node.conf("10-ovn.conflist")} in the place of ${node.conf("10-ovn.conf")}`,
    `CNI plugin ${node.plugin}`,
  ]);
});

test("a list of our own and half-written files are told by their names", async () => {
  node.write("00-millrace.conflist", "half");
  node.write("00-millrace.conflist.cilium_bak", "half");
  const temporary = ".millrace-0123456789abcdef.tmp";
  writeFileSync(join(node.options.cniBinDir, temporary), "");
  expect(cniTraces(node.options, undefined).left).toEqual([
    `list ${node.conf("00-millrace.conflist")}`,
    `list ${node.conf("00-millrace.conflist.cilium_bak")}`,
    `half-written file ${join(node.options.cniBinDir, temporary)}`,
  ]);
});

test("a plugin of our name that was there before is theirs; where nobody knows, one that says what it is, is ours", () => {
  writeFileSync(node.plugin, "somebody's");
  expect(cniTraces(node.options, readCniFiles(node.options))).toEqual({ left: [], unclaimed: [] });
  expect(cniTraces(node.options, undefined)).toEqual({
    left: [],
    unclaimed: [`CNI plugin ${node.plugin}: it has our name, and nothing tells whose it is`],
  });
  writeFileSync(node.plugin, "\0/run/millrace/cni.sock\0");
  expect(cniTraces(node.options, undefined).left).toEqual([`CNI plugin ${node.plugin}`]);
});

test("what others do in the directory is not ours", () => {
  node.write("10-net.conflist", LIST);
  const before = readCniFiles(node.options);
  node.write("10-net.conflist", LIST.replace("bridge", "ptp"));
  node.write("20-millrace-free.conf", SINGLE);
  node.write("30-broken.conflist", '{ "millrace"');
  mkdirSync(node.conf("millrace"));
  expect(cniTraces(node.options, before)).toEqual({ left: [], unclaimed: [] });
});

test("directories that are not there hold nothing", () => {
  rmSync(node.options.cniConfDir, { recursive: true });
  rmSync(node.options.cniBinDir, { recursive: true });
  expect(readCniFiles(node.options)).toEqual({ config: undefined, plugin: undefined });
  expect(cniTraces(node.options, undefined)).toEqual({ left: [], unclaimed: [] });
});
