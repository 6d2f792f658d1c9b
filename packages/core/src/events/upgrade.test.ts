import { expect, test } from "vitest";
import { type RecordedRow, rowOf, rowOfColumns, rowOfLine } from "../log/recorded-row.ts";
import { verify } from "../replay/verify.ts";
import { toSnapshot } from "../state/snapshot.ts";
import { meshNamespace, pod, Scenario, started, synced, veth, vethGone } from "../testing/scenario.ts";
import { canonicalJson } from "./canonical-json.ts";
import type { EventRecord } from "./event.ts";
import { LOG_SCHEMA_VERSION, upgradeData } from "./upgrade.ts";

function recorded(): EventRecord[] {
  const run = new Scenario();
  run.feed(started(), synced, meshNamespace(), veth(1), pod(1), veth(2), pod(2), vethGone(2));
  run.feed({ type: "state.snapshot", subject: "log", data: toSnapshot(run.state) }, veth(3), pod(3));
  return run.records;
}

/** As a version wrote it that knew neither DNS capture nor exclusions. */
function withoutCapture(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutCapture);
  if (typeof value !== "object" || value === null) return value;
  const { dnsCapture: _, exclusions: __, ...known } = value as Record<string, unknown>;
  return Object.fromEntries(Object.entries(known).map(([key, member]) => [key, withoutCapture(member)]));
}

test("a log of version 1 becomes one of this version on reading: nothing is decided otherwise", () => {
  const records = recorded();
  const earlier = records.map((record) => canonicalJson(withoutCapture(record)));
  expect(earlier.join()).not.toContain("dnsCapture");
  const rows = earlier.map((line, index) => rowOfLine(line, 1, `line ${index}`));
  const lines = (all: readonly RecordedRow[]) => all.map(({ record, line }) => ({ record, line }));
  expect(lines(rows)).toEqual(lines(records.map(rowOf)));
  expect(rows.map(({ recorded }) => recorded)).toEqual(earlier);
  expect(verify(rows)).toMatchObject({ differences: [], snapshots: 0, intents: 4 });
});

test("in a file of rows of several versions each says its own, also as a line", () => {
  const record = recorded()[0] as EventRecord;
  const data = canonicalJson(withoutCapture(record.data));
  const row = rowOfColumns({ ...record, data, schema: 1 });
  expect(row.record).toEqual(record);
  expect(row.recorded).toBe(canonicalJson({ ...record, data: JSON.parse(data), schema: 1 }));
  expect(rowOfLine(row.recorded, LOG_SCHEMA_VERSION, "line 2")).toEqual(row);
  expect(rowOf(record).recorded).not.toContain("schema");
});

test("a snapshot of version 1 is no measure of today's state", () => {
  const records = recorded().map((record) =>
    record.type === "state.snapshot"
      ? { ...record, data: { ...record.data, drift: [{ subject: "node", problems: [] }] } }
      : record,
  );
  const lines = records.map(canonicalJson);
  expect(verify(lines.map((line) => rowOfLine(line, 1, ""))).differences).toEqual([]);
  expect(verify(lines.map((line) => rowOfLine(line, 2, ""))).differences).toMatchObject([{ kind: "snapshot" }]);
});

test("what a row of version 1 says of these stands", () => {
  const config = { dnsCapture: true };
  expect(upgradeData("agent.started", { config }, 1)).toEqual({ config });
});

test("what is of another shape is left to validation", () => {
  for (const data of [null, 7, [], {}, { config: 7 }, { agent: {}, requested: 7 }, { action: "apply" }]) {
    for (const type of ["agent.started", "redirection.requested", "state.snapshot", "pod.removed"]) {
      expect(upgradeData(type, data, 1)).toEqual(data);
    }
  }
});

test("a row of this version is not touched, one of a later version is refused", () => {
  const data = {};
  expect(upgradeData("agent.started", data, LOG_SCHEMA_VERSION)).toBe(data);
  expect(() => rowOfLine("{}", LOG_SCHEMA_VERSION + 1, "line 1")).toThrow(
    expect.objectContaining({ code: "ERR_LOG_NEWER_SCHEMA" }),
  );
});

test("a byte that is changed in a row of version 1 is seen, also one that validation would put right", () => {
  const lines = recorded().map((record) => canonicalJson(withoutCapture(record)));
  const at = lines.findIndex((line) => line.includes('"redirection.requested"'));
  const changed = lines.with(at, (lines[at] as string).replace("02:00:00:00:00:01", "02:00:00:00:00:0A"));
  const upper = lines.with(at, (lines[at] as string).replace("2001:2:0:1::b", "2001:2:0:1::B"));
  for (const log of [changed, upper]) {
    expect(verify(log.map((line) => rowOfLine(line, 1, "line"))).differences[0]?.seq).toBe(at + 1);
  }
});
