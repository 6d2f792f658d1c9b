import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { PluginLogger } from "@millrace/core";
import { SysctlJournal } from "@millrace/core/host";
import { type Netns, openNetns, readSysctl, writeSysctl } from "linux-ts";
import { afterEach, beforeEach, expect, it } from "vitest";
import { ownSourcePorts } from "./source-ports.ts";
import { run } from "./testing/run.ts";

const RANGE = "net/ipv4/ip_local_port_range";
const NAMES = ["a", "b", "c"].map((name) => `mrsp${process.pid}${name}`);
const LOWER = "32768\t46883";
const UPPER = "46884\t60999";

let directory: string;
let journal: SysctlJournal;
let proxies: [Netns, Netns, Netns];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "millrace-ports-"));
  const nothing = () => {};
  const log: PluginLogger = { debug: nothing, info: nothing, warn: nothing, error: nothing };
  journal = new SysctlJournal(directory, log);
  for (const name of NAMES) run("ip", "netns", "add", name);
  proxies = NAMES.map((name) => openNetns(`/run/netns/${name}`)) as typeof proxies;
});
afterEach(() => {
  for (const netns of proxies) netns[Symbol.dispose]();
  for (const name of NAMES) run("ip", "netns", "del", name);
  rmSync(directory, { recursive: true, force: true });
});

const rangeOf = (netns: Netns) => readSysctl(netns.fd, RANGE);
const give = (netns: Netns, among: readonly Netns[] = proxies, holder = "x") =>
  journal.change(holder, netns, ownSourcePorts(journal, netns, among));

it("gives a proxy and its successor ports that the other one does not choose, and puts the whole range back", () => {
  const [old, next] = proxies;
  give(old, [old]);
  expect(rangeOf(old)).toBe(LOWER);
  give(next, [old, next]);
  expect([rangeOf(old), rangeOf(next)]).toEqual([LOWER, UPPER]);
  for (const netns of [old, next]) journal.restore("x", netns);
  expect([rangeOf(old), rangeOf(next)]).toEqual(["32768\t60999", "32768\t60999"]);
});

it("leaves a proxy what it was given, whoever asks and whoever else comes", () => {
  const [old, next] = proxies;
  give(old, [old]);
  give(next, [old, next]);
  give(old, [old, next]);
  give(next, [next], "another backend");
  expect([rangeOf(old), rangeOf(next)]).toEqual([LOWER, UPPER]);
  journal.restore("x", next);
  expect(rangeOf(next)).toBe(UPPER);
});

it("takes the half that fewer are in", () => {
  const [a, b, c] = proxies;
  give(a, [a]);
  journal.restore("x", a);
  give(b, [a, b]);
  // `a` chooses from all of them again: one more in either half.
  expect(rangeOf(b)).toBe(LOWER);
  give(c, [a, b, c]);
  expect(rangeOf(c)).toBe(UPPER);
});

it.each([
  ["10001 20000", "10001\t15000", "15001\t20000"],
  ["1024 65535", "1024\t33279", "33280\t65535"],
  ["40000 42047", "40000\t41023", "41024\t42047"],
  ["40000 42048", "40000\t41025", "41026\t42048"],
])("halves %s so that both begin as even or odd as it does", (whole, lower, upper) => {
  const [old, next] = proxies;
  for (const netns of [old, next]) writeSysctl(netns.fd, RANGE, whole);
  give(old, [old]);
  give(next, [old, next]);
  expect([rangeOf(old), rangeOf(next)]).toEqual([lower, upper]);
});

it("does not halve what is small", () => {
  const [old] = proxies;
  writeSysctl(old.fd, RANGE, "40000 42046");
  expect(ownSourcePorts(journal, old, [])).toEqual([]);
});

it("takes a half of the usual range for what another agent has given", () => {
  const [old] = proxies;
  give(old, [old]);
  const elsewhere = mkdtempSync(join(tmpdir(), "millrace-ports-"));
  const nothing = () => {};
  const other = new SysctlJournal(elsewhere, { debug: nothing, info: nothing, warn: nothing, error: nothing });
  try {
    expect(ownSourcePorts(other, old, [old])).toEqual([]);
  } finally {
    rmSync(elsewhere, { recursive: true, force: true });
  }
});
