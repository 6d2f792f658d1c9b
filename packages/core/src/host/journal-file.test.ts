import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { readAll, removeDurably, removeUnfinished, writeDurably } from "./journal-file.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "millrace-journal-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

it("writes, replaces and removes, and leaves nothing beside the file", () => {
  const path = join(directory, "deep", "a.json");
  writeDurably(path, "1");
  writeDurably(path, "2");
  expect(readAll(join(directory, "deep"))).toEqual([{ path, text: "2" }]);
  expect(readdirSync(join(directory, "deep"))).toEqual(["a.json"]);
  removeDurably(path);
  removeDurably(path);
  expect(readdirSync(join(directory, "deep"))).toEqual([]);
});

it("does not read what a crash left half written", () => {
  writeFileSync(join(directory, ".a.json.new"), "{");
  writeDurably(join(directory, "b.json"), "{}");
  expect(readAll(directory).map(({ text }) => text)).toEqual(["{}"]);
  expect(readAll(join(directory, "nowhere"))).toEqual([]);
});

it("removes what a crash left half written, and nothing else", () => {
  writeFileSync(join(directory, ".a.json.new"), "{");
  writeDurably(join(directory, "b.json"), "{}");
  removeUnfinished(directory);
  removeUnfinished(join(directory, "nowhere"));
  expect(readdirSync(directory)).toEqual(["b.json"]);
});
