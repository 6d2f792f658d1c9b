import { execFileSync, spawnSync } from "node:child_process";
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statfsSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { EventRecord } from "../events/event.ts";
import { silentLogger } from "../logger.ts";
import { gapRecord, hostAddressesRecord } from "../testing/log-records.ts";
import { EventLog, type EventLogOptions } from "./event-log.ts";
import { EventLogReader } from "./reader.ts";

// Real disks that fail: a file system of one MiB of its own, mounted for each test.
let base: string;
let disk: string;
let path: string;
let log: EventLog | undefined;

beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), "millrace-disk-"));
  disk = join(base, "disk");
  mkdirSync(disk);
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=1m", "millrace-test", disk]);
  path = join(disk, "events.db");
});

afterEach(async () => {
  await log?.[Symbol.asyncDispose]();
  log = undefined;
  execFileSync("umount", [disk]);
  rmSync(base, { recursive: true });
});

const open = async (over: Partial<EventLogOptions> = {}) => {
  const options = { path, appendDeadlineMs: 2000, keepEvents: 1_000_000, retryMs: 20, log: silentLogger };
  log = await EventLog.open({ ...options, ...over });
  return log;
};

function rows(): EventRecord[] {
  using reader = EventLogReader.open(path);
  return [...reader.read()];
}

test("a full disk: the agent goes on, rows are held, and once there is room they are written, and where that was", async () => {
  const eventLog = await open();
  expect(await eventLog.append([hostAddressesRecord(1)])).toBe("logged");
  const ballast = join(disk, "ballast");
  const { bavail, bsize } = statfsSync(disk);
  writeFileSync(ballast, Buffer.alloc(bavail * bsize - 8192));

  let seq = 2;
  let appended = "logged";
  while (appended === "logged" && seq < 5000) {
    appended = await eventLog.append(Array.from({ length: 20 }, (_, index) => hostAddressesRecord(seq + index)));
    seq += 20;
  }
  expect(appended).toBe("unlogged");
  expect(eventLog.status()).toMatchObject({ state: "failing", reason: expect.stringMatching(/full/) });

  // Still full: saying so does not work either, and is held too.
  await vi.waitFor(() => expect(eventLog.gap()).toMatchObject({ count: 0, after: seq - 1 }), 10_000);
  const more = Array.from({ length: 100 }, (_, index) => hostAddressesRecord(seq + 1 + index));
  expect(await eventLog.append([gapRecord(seq, 0), ...more])).toBe("unlogged");
  seq += 101;
  await vi.waitFor(() => expect(eventLog.gap()).toMatchObject({ count: 0, after: seq - 1 }), 10_000);
  rmSync(ballast);
  expect(await eventLog.append([gapRecord(seq, 0), hostAddressesRecord(seq + 1)])).toBe("logged");
  expect(rows().map((row) => row.seq)).toEqual(Array.from({ length: seq + 1 }, (_, index) => index + 1));
  expect(
    rows()
      .filter(({ type }) => type === "log.gap")
      .map((row) => row.seq),
  ).toEqual([seq - 101, seq]);
});

test("a disk that is read-only when the agent starts, and writable later", async () => {
  const eventLog = await open();
  await eventLog.append([hostAddressesRecord(1)]);
  await eventLog[Symbol.asyncDispose]();
  execFileSync("mount", ["-o", "remount,ro", disk]);

  const second = await open();
  expect(second.status()).toMatchObject({
    state: "failing",
    reason: expect.stringMatching(/readonly|read-only|unable to open/i),
  });
  expect(await second.append([hostAddressesRecord(1)])).toBe("unlogged");
  execFileSync("mount", ["-o", "remount,rw", disk]);
  await vi.waitFor(() => expect(second.gap()).toMatchObject({ count: 1, after: 1 }), 10_000);
  expect(await second.append([gapRecord(2, 1)])).toBe("logged");
  expect(rows().map(({ seq }) => seq)).toEqual([1, 2]);
});

test.each(["killed", "read"])("no commit waits for the disk, and all are there soon: %s", (end) => {
  const trace = join(base, "trace");
  const script = join(import.meta.dirname, "..", "testing", "append-batches.ts");
  const traced = [process.execPath, "--conditions=source", script, path, "25", end];
  // -y: which file a descriptor is.
  const { error } = spawnSync("strace", ["-f", "-y", "-o", trace, "-e", "trace=fsync,fdatasync,pwrite64", ...traced]);
  expect(error).toBeUndefined();
  const calls = readFileSync(trace, "utf8").match(/(fsync|fdatasync|pwrite64)\(\d+<[^>]*-wal>/g) ?? [];
  const kinds = calls.map((call) => (call.startsWith("pwrite64") ? "written" : "synced"));
  expect(kinds.filter((kind) => kind === "written").length).toBeGreaterThanOrEqual(25);
  const synced = kinds.filter((kind) => kind === "synced").length;
  expect(synced).toBeGreaterThan(0);
  expect(synced).toBeLessThan(25);
  expect(kinds.at(-1)).toBe("synced");
  expect(rows()).toHaveLength(25);
});

test("a disk that others have filled to the last byte: the oldest rows make room for the newest, and no row is lost", async () => {
  execFileSync("mount", ["-o", "remount,size=8m", disk]);
  const eventLog = await open({ maxBytes: 4 << 20, appendDeadlineMs: 60_000, openDeadlineMs: 60_000 });
  const time = "2026-01-01T00:00:00.000Z";
  const snapshot = (seq: number) => ({ seq, time, type: "state.snapshot", subject: "log", data: {} }) as never;
  let seq = 1;
  const append = async (batches: number) => {
    const answers = new Set<string>();
    for (let batch = 0; batch < batches; batch++, seq += 50) {
      const others = Array.from({ length: 49 }, (_, index) => hostAddressesRecord(seq + 1 + index));
      answers.add(await eventLog.append([snapshot(seq), ...others]));
    }
    return [...answers];
  };
  const held = () => {
    using db = new DatabaseSync(path, { readOnly: true });
    return db.prepare("SELECT min(seq) AS first, max(seq) AS last, count(*) AS count FROM event").get();
  };
  expect(await append(60)).toEqual(["logged"]);
  expect(held()).toMatchObject({ first: 1, last: seq - 1 });
  const ballast = openSync(join(disk, "ballast"), "w");
  expect(() => {
    for (;;) writeSync(ballast, Buffer.alloc(4096));
  }).toThrow("ENOSPC");
  closeSync(ballast);
  expect(await append(100)).toEqual(["logged"]);
  const { first, last, count } = held() as { first: number; last: number; count: number };
  expect(last).toBe(seq - 1);
  expect(count).toBe(last - first + 1);
  expect(first % 50).toBe(1);
  expect(first).toBeGreaterThan(1);
  expect(eventLog.status()).toMatchObject({ state: "healthy", lostEvents: 0, heldEvents: 0 });
});
