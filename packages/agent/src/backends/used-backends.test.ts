import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { UsedBackends } from "./used-backends.ts";

let directory: string;
let journal: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "millrace-used-"));
  journal = join(directory, "lib", "journal");
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

test("notes outlive the process, not the boot", () => {
  expect(new UsedBackends(journal).names()).toEqual([]);
  const used = new UsedBackends(journal, "boot-1");
  for (const name of ["iptables", "ebpf", "ebpf"]) used.note(name);
  expect(new UsedBackends(journal, "boot-1").names()).toEqual(["ebpf", "iptables"]);
  expect(new UsedBackends(journal, "boot-2").names()).toEqual([]);
});

test("what is opened is noted before, and not any more where that failed, unless it was", async () => {
  const used = new UsedBackends(journal, "boot-1");
  const opened = await used.noted("ebpf", async () => used.names());
  expect(opened).toEqual(["ebpf"]);
  const fail = () => Promise.reject(new Error("no room"));
  await expect(used.noted("iptables", fail)).rejects.toThrow("no room");
  await expect(used.noted("ebpf", fail)).rejects.toThrow("no room");
  expect(used.names()).toEqual(["ebpf"]);
});

test("what is forgotten is gone, and the journal with it once nothing is in it", () => {
  const used = new UsedBackends(journal, "boot-1");
  used.note("ebpf");
  used.note("iptables");
  used.forget("ebpf");
  expect(used.names()).toEqual(["iptables"]);
  used.forget("iptables");
  used.forget("iptables");
  expect(existsSync(journal)).toBe(false);
});

test("the last one to go takes along what an earlier boot noted and a crash left half written, and nothing of others", () => {
  new UsedBackends(journal, "boot-1").note("ebpf");
  const used = new UsedBackends(journal, "boot-2");
  used.note("iptables");
  writeFileSync(join(journal, "backends", ".iptables.17.tmp"), "boo");
  mkdirSync(join(journal, "sysctl"));
  used.forget("iptables");
  expect(readdirSync(journal)).toEqual(["sysctl"]);
});
