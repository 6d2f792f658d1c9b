import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { EventRecord } from "../events/event.ts";
import { silentLogger } from "../logger.ts";
import { gapRecord, hostAddressesRecord } from "../testing/log-records.ts";
import { EventLog } from "./event-log.ts";
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

const open = async () => {
  log = await EventLog.open({ path, appendDeadlineMs: 2000, keepEvents: 1_000_000, retryMs: 20, log: silentLogger });
  return log;
};

function rows(): EventRecord[] {
  using reader = EventLogReader.open(path);
  return [...reader.read()];
}

/** Every `seq` that is missing is counted by the `log.gap` that follows. */
function expectAccounted(records: readonly EventRecord[]): void {
  let last = 0;
  for (const record of records) {
    const missing = record.seq - last - 1;
    expect(missing, `before ${record.seq}`).toBe(record.type === "log.gap" ? record.data.count : 0);
    last = record.seq;
  }
}

test("a full disk: the agent goes on, rows are counted, and once there is room the log goes on as well", async () => {
  const eventLog = await open();
  expect(await eventLog.append([hostAddressesRecord(1)])).toBe("durable");
  const ballast = join(disk, "ballast");
  const { bavail, bsize } = statfsSync(disk);
  writeFileSync(ballast, Buffer.alloc(bavail * bsize - 8192));

  let seq = 2;
  let durability = "durable";
  while (durability === "durable" && seq < 5000) {
    durability = await eventLog.append(Array.from({ length: 20 }, (_, index) => hostAddressesRecord(seq + index)));
    seq += 20;
  }
  expect(durability).toBe("unlogged");
  expect(eventLog.status()).toMatchObject({ state: "failing", reason: expect.stringMatching(/full/) });

  // Still full: saying so does not work either, and is counted too.
  await vi.waitFor(() => expect(eventLog.gap()).toBeDefined(), 10_000);
  const first = eventLog.gap()?.count ?? 0;
  if (
    (await eventLog.append([
      gapRecord(seq, first),
      ...Array.from({ length: 100 }, (_, i) => hostAddressesRecord(seq + 1 + i)),
    ])) === "unlogged"
  ) {
    seq += 101;
    await vi.waitFor(() => expect(eventLog.gap()?.count).toBe(first + 101), 10_000);
    rmSync(ballast);
    const gap = gapRecord(seq, first + 101);
    expect(await eventLog.append([gap, hostAddressesRecord(seq + 1)])).toBe("durable");
    expectAccounted(rows());
    expect(rows().at(-1)?.seq).toBe(seq + 1);
    return;
  }
  throw new Error("the disk was not full after all");
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
  expect(await second.append([gapRecord(2, 1)])).toBe("durable");
  expect(rows().map(({ seq }) => seq)).toEqual([1, 2]);
});

test("every acknowledged batch has been forced to disk", () => {
  const trace = join(base, "trace");
  const script = join(import.meta.dirname, "..", "testing", "append-batches.ts");
  const traced = [
    "-f",
    "-o",
    trace,
    "-e",
    "trace=fsync,fdatasync",
    process.execPath,
    "--conditions=source",
    script,
    path,
    "25",
  ];
  execFileSync("strace", traced);
  const synced = readFileSync(trace, "utf8").match(/f(data)?sync\(\d+\) += 0/g) ?? [];
  expect(synced.length).toBeGreaterThanOrEqual(25);
  expect(rows()).toHaveLength(25);
});
