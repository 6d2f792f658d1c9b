import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Configuration, parseConfiguration } from "@millrace/core/internal";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { NodeSnapshot } from "./node-snapshot.ts";
import { loadSnapshot, snapshotPath } from "./snapshot-file.ts";

let directory: string;
let configuration: Configuration;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "millrace-snapshot-"));
  configuration = parseConfiguration({ paths: { journal: join(directory, "journal") } });
  mkdirSync(join(directory, "journal"));
});
afterEach(() => rmSync(directory, { recursive: true }));

const snapshot: NodeSnapshot = {
  version: 1,
  kernel: { bootId: "b", takenAt: "2026-01-02T03:04:05.678Z", late: false, namespaces: [], pins: [] },
};

test("what was noted is read; nothing where nothing was", () => {
  expect(loadSnapshot(configuration)).toEqual({});
  writeFileSync(snapshotPath(configuration), JSON.stringify(snapshot));
  expect(loadSnapshot(configuration)).toEqual({ snapshot });
});

test.each(["", "{", "[]", JSON.stringify({ ...snapshot, version: 2 })])("%j is told to be unreadable", (text) => {
  writeFileSync(snapshotPath(configuration), text);
  expect(loadSnapshot(configuration)).toEqual({ problem: expect.stringContaining(snapshotPath(configuration)) });
});
