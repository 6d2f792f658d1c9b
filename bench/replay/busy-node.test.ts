import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openPortableLog, verify } from "@millrace/core/internal";
import { expect, test } from "vitest";
import { BusyNode } from "./busy-node.ts";

test("the log that replay is measured by has restarts, drift and switches in it, and replays", () => {
  const directory = mkdtempSync(join(tmpdir(), "millrace-busy-node-"));
  try {
    const node = new BusyNode();
    const path = join(directory, "node.jsonl");
    writeFileSync(path, [...node.lines(30_000)].join(""));
    expect(node.happenings.drift).toBeGreaterThan(50);
    expect(node.happenings.restarts).toBeGreaterThan(0);
    expect(node.happenings.switches).toBeGreaterThan(0);
    const { rows } = openPortableLog(path);
    const placements = [...rows()].filter(({ line }) => line.includes('"joins":"iptables"'));
    expect(placements.length).toBeGreaterThan(200);
    expect(verify(rows())).toMatchObject({ differences: [], skipped: [] });
  } finally {
    rmSync(directory, { recursive: true });
  }
}, 120_000);
