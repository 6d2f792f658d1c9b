import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { type Configuration, parseConfiguration } from "@millrace/core/internal";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Ledger } from "./removal.ts";
import { removeFiles } from "./remove-files.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "millrace-remove-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const at = (name: string) => join(directory, name);

function configuration(): Configuration {
  return parseConfiguration({
    sockets: { admin: at("admin.sock"), cni: at("cni.sock") },
    paths: { journal: at("journal"), ambientConfig: at("config.json") },
    eventLog: { path: at("events.db") },
  });
}

function remove(purge: boolean): Ledger {
  const ledger = new Ledger();
  removeFiles(configuration(), { purge, keepCniPlugin: false }, ledger);
  return ledger;
}

test("what is not ours stays, byte for byte", () => {
  const names = ["admin.sock", "cni.sock", "config.json", "events.db"];
  for (const name of names) writeFileSync(at(name), "precious");
  writeFileSync(at("events.db-wal"), "precious");
  const { removed, kept, left } = remove(true);
  expect(removed).toEqual([]);
  expect(kept.map((line) => line.split(":")[0])).toEqual(["cni.sock", "admin.sock", "config.json"].map(at));
  expect(left).toEqual([expect.stringMatching(/^event log .*events\.db: ERR_LOG_UNREADABLE/)]);
  for (const name of [...names, "events.db-wal"]) expect(readFileSync(at(name), "utf8")).toBe("precious");
});

test("another program's database is no event log, whatever its version", () => {
  const other = new DatabaseSync(at("events.db"));
  other.exec("PRAGMA user_version = 1; CREATE TABLE song (title TEXT)");
  other.close();
  expect(remove(true)).toMatchObject({ removed: [], left: [expect.stringContaining("no such table: event")] });
  expect(readdirSync(directory)).toContain("events.db");
});

test("links are not followed, and go on", () => {
  const ours = JSON.stringify({ ztunnelReady: true, redirectMode: "ebpf" });
  writeFileSync(at("target"), ours);
  symlinkSync(at("target"), at("config.json"));
  symlinkSync("/dev/zero", at("events.db"));
  expect(remove(true)).toMatchObject({ removed: [], kept: [expect.stringContaining("config.json")] });
  expect(readFileSync(at("target"), "utf8")).toBe(ours);
});

test("one failure does not end the rest", () => {
  writeFileSync(at("journal"), "a file where a directory is expected");
  mkdirSync(at("events.db"));
  writeFileSync(at("config.json"), JSON.stringify({ ztunnelReady: true, redirectMode: "ebpf" }));
  const { removed, left } = remove(true);
  expect(removed).toEqual([`ambient config ${at("config.json")}`]);
  expect(left).toEqual([expect.stringMatching(/^journal .*ENOTDIR/), expect.stringMatching(/^event log .*regular/)]);
});

test("a socket is removed", async () => {
  const server = createServer();
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(at("cni.sock"), resolve);
  await promise;
  try {
    expect(remove(false).removed).toEqual([`socket ${at("cni.sock")}`]);
  } finally {
    server.close();
  }
});
