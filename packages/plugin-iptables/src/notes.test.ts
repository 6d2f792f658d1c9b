import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Notes, type SlotIdentity } from "./notes.ts";

let journal: string;
let notes: Notes;

beforeEach(() => {
  journal = mkdtempSync(join(tmpdir(), "mr-ipt-notes-"));
  notes = new Notes(journal);
});
afterEach(() => rmSync(journal, { recursive: true }));

const identity: SlotIdentity = {
  key: "uid@1",
  name: "z1",
  netns: "/run/netns/z1",
  netnsInode: 1,
  ifName: "eth0",
  mac: "02:00:00:00:00:01",
  hostName: "h-z1",
  hostIndex: 7,
  device: "h-z1",
  addresses: ["198.18.1.20"],
};

test("slots are told again by the next process", () => {
  notes.setSlot(3, identity);
  expect([...new Notes(journal).slots()]).toEqual([[3, identity]]);
  notes.deleteSlot(3);
  notes.deleteSlot(3);
  expect(notes.slots().size).toBe(0);
});

test("who is active is told again by the next process: a slot, none, or that nothing was noted", () => {
  expect(notes.active()).toBeUndefined();
  notes.setActive(3);
  expect(new Notes(journal).active()).toEqual({ slot: 3 });
  notes.setActive(undefined);
  expect(new Notes(journal).active()).toEqual({ slot: undefined });
  notes.close();
  expect(existsSync(join(journal, "iptables"))).toBe(false);
});

test("what a crash left half written is removed", () => {
  notes.setSlot(0, identity);
  writeFileSync(join(journal, "iptables", "slots", ".1.json.new"), "{");
  notes.sweep();
  expect([...notes.slots().keys()]).toEqual([0]);
  notes.deleteSlot(0);
  notes.close();
  expect(existsSync(join(journal, "iptables"))).toBe(false);
});

test("what earlier versions noted of exclusions is removed", () => {
  mkdirSync(join(journal, "iptables", "exclusions"), { recursive: true });
  writeFileSync(join(journal, "iptables", "exclusions", "a.json"), "{}");
  notes.sweep();
  notes.close();
  expect(existsSync(join(journal, "iptables"))).toBe(false);
});

test.each(["{", "{}", '{"version":2}'])("a note that reads %s is none", (text) => {
  notes.setSlot(0, identity);
  writeFileSync(join(journal, "iptables", "slots", "1.json"), text);
  expect([...notes.slots().keys()]).toEqual([0]);
});

test("nothing is left of empty notes", () => {
  notes.setSlot(0, identity);
  notes.deleteSlot(0);
  notes.close();
  expect(existsSync(join(journal, "iptables"))).toBe(false);
});
