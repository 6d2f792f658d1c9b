import { spawn } from "node:child_process";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { DatabaseSync } from "node:sqlite";
import type { Worker } from "node:worker_threads";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { type Logger, silentLogger } from "../logger.ts";
import { gapRecord, hostAddressesRecord } from "../testing/log-records.ts";
import { started } from "../testing/scenario.ts";
import { LogDatabase } from "./database.ts";
import { EventLog, type EventLogOptions } from "./event-log.ts";
import { EventLogReader } from "./reader.ts";
import type { LogRow } from "./schema.ts";

// Threads and processes are started here, which takes its time on a busy machine.
vi.setConfig({ testTimeout: 30_000 });

/** Polls for as long as a busy machine may need. */
const waitFor = (check: () => void) => vi.waitFor(check, 10_000);

let directory: string;
let path: string;
const opened: EventLog[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "millrace-log-"));
  path = join(directory, "events.db");
});

afterEach(async () => {
  for (const log of opened.splice(0)) await log[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true });
});

async function open(options: Partial<EventLogOptions> = {}): Promise<EventLog> {
  const log = await EventLog.open({
    path,
    appendDeadlineMs: 2000,
    keepEvents: 1_000_000,
    retryMs: 20,
    log: silentLogger,
    ...options,
  });
  opened.push(log);
  return log;
}

const range = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, index) => hostAddressesRecord(from + index));

function seqs(file = path): number[] {
  using reader = EventLogReader.open(file);
  return [...reader.read()].map(({ seq }) => seq);
}

function listening(): { log: Logger; lines: [level: string, message: string, fields: object][] } {
  const lines: [string, string, object][] = [];
  const at = (level: string) => (fields: object, message: string) => void lines.push([level, message, fields]);
  const log: Logger = { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error"), child: () => log };
  return { log, lines };
}

describe("writing", () => {
  test("rows are durable when append resolves, and go on where the file ends", async () => {
    const log = await open();
    expect(log.lastSeq).toBe(0);
    expect(await log.append(range(1, 3))).toBe("logged");
    expect(seqs()).toEqual([1, 2, 3]);
    expect(log.lastSeq).toBe(3);
    await log[Symbol.asyncDispose]();
    expect((await open()).lastSeq).toBe(3);
  });

  test("the file is what the documentation says: WAL, STRICT, version 2, subjects indexed, canonical data", async () => {
    const log = await open();
    await log.append([hostAddressesRecord(1)]);
    const db = new DatabaseSync(path, { readOnly: true });
    expect(db.prepare("PRAGMA journal_mode").get()).toEqual({ journal_mode: "wal" });
    expect(db.prepare("PRAGMA user_version").get()).toEqual({ user_version: 2 });
    expect(db.prepare("SELECT sql FROM sqlite_schema WHERE name = 'event'").get()).toEqual({
      sql: expect.stringMatching(/STRICT/),
    });
    expect(db.prepare("SELECT data FROM event").get()).toEqual({ data: '{"addresses":["198.18.0.1"]}' });
    const plan = db.prepare("EXPLAIN QUERY PLAN SELECT * FROM event WHERE subject IN ('node') ORDER BY seq").all();
    expect(JSON.stringify(plan)).toContain("event_subject");
    db.close();
  });

  test("thousands of batches at once are all written, in order", async () => {
    const log = await open();
    await log.append(range(1, 1));
    const results = await Promise.all(range(2, 2001).map((record) => log.append([record])));
    expect(new Set(results)).toEqual(new Set(["logged"]));
    expect(seqs()).toHaveLength(2001);
  });

  test("closing writes what waits", async () => {
    const log = await open();
    const pending = range(1, 500).map((record) => log.append([record]));
    await log[Symbol.asyncDispose]();
    expect(new Set(await Promise.all(pending))).toEqual(new Set(["logged"]));
    expect(seqs()).toHaveLength(500);
  });

  test("old rows go, up to a snapshot that leaves enough", async () => {
    const log = await open({ keepEvents: 10 });
    const snapshot = {
      time: "2026-01-01T00:00:00.000Z",
      type: "state.snapshot",
      subject: "log",
      data: {},
    } as never as object;
    await log.append([...range(1, 19), { ...snapshot, seq: 20 } as never, ...range(21, 29)]);
    await log.append(range(30, 30));
    await log.append(range(31, 31));
    const db = new DatabaseSync(path, { readOnly: true });
    expect(db.prepare("SELECT min(seq) AS first, max(seq) AS last FROM event").get()).toEqual({ first: 20, last: 31 });
    db.close();
  });

  test("while old rows go, the log begins with a snapshot at every moment", () => {
    const limits = { keepEvents: 20, maxAgeDays: 1e9, maxBytes: 1e9 };
    using database = LogDatabase.open(path, { busyTimeoutMs: 1000, check: false, limits });
    const isSnapshot = (seq: number) => seq % 7 === 0;
    const row = (seq: number): LogRow => [
      seq,
      "2026-01-01T00:00:00.000Z",
      isSnapshot(seq) ? "state.snapshot" : "x",
      "log",
      "{}",
    ];
    database.insert(Array.from({ length: 50 }, (_, index) => row(index + 1)));
    const firsts: number[] = [];
    using db = new DatabaseSync(path, { readOnly: true });
    const held = () =>
      db.prepare("SELECT min(seq) AS first, max(seq) AS last FROM event").get() as Record<string, number>;
    while (database.tidy(new Date()) > 0) firsts.push(held().first as number);
    expect(firsts).toEqual([7, 14, 21, 28]);
    expect(held().last).toBe(50);
  });
});

describe("a file of version 1", () => {
  test("is read as it is, and gone on with in the form of today, without touching its rows", async () => {
    const db = new DatabaseSync(path);
    db.exec(`CREATE TABLE event (seq INTEGER PRIMARY KEY, time TEXT NOT NULL, type TEXT NOT NULL, subject TEXT NOT NULL, data TEXT NOT NULL) STRICT;
      CREATE INDEX event_subject ON event (subject, seq);
      CREATE INDEX event_snapshot ON event (seq) WHERE type = 'state.snapshot';
      PRAGMA user_version = 1;`);
    const { dnsCapture: _, ...config } = started().data.config;
    const old = JSON.stringify({ config, node: "n1", version: "0.9.0" });
    const insert = db.prepare("INSERT INTO event VALUES (1, '2026-01-01T00:00:00.000Z', 'agent.started', 'agent', ?)");
    insert.run(old);
    db.close();
    const first = () => {
      using reader = EventLogReader.open(path);
      const [row] = reader.rows();
      return row;
    };
    const expected = { schema: 1, record: { data: { config: { dnsCapture: false } } } };
    expect(first()).toMatchObject(expected);

    const log = await open();
    expect(await log.append([hostAddressesRecord(2)])).toBe("logged");
    expect(first()).toMatchObject(expected);
    expect(first()?.recorded).toContain(`{"data":${old},"schema":1,"seq":1,`);
    const after = new DatabaseSync(path, { readOnly: true });
    expect(after.prepare("PRAGMA user_version").get()).toEqual({ user_version: 2 });
    expect(after.prepare("SELECT schema, data FROM event ORDER BY seq").all()).toMatchObject([
      { schema: 1, data: old },
      { schema: 2 },
    ]);
    after.close();
  });
});

describe("a file that is not ours to write", () => {
  test("of a newer version is refused by name, and not touched", async () => {
    const db = new DatabaseSync(path);
    db.exec("CREATE TABLE event (seq INTEGER PRIMARY KEY); PRAGMA user_version = 3");
    db.close();
    const before = readFileSync(path);
    await expect(open()).rejects.toMatchObject({
      code: "ERR_LOG_NEWER_SCHEMA",
      message: `${path} has schema version 3, this version of Millrace knows 2. Run the version that wrote it, or move the file away to begin a new log.`,
    });
    expect(readFileSync(path)).toEqual(before);
    expect(() => EventLogReader.open(path)).toThrow(expect.objectContaining({ code: "ERR_LOG_NEWER_SCHEMA" }));
  });

  test("of another program is refused, and not touched", async () => {
    const db = new DatabaseSync(path);
    db.exec("CREATE TABLE invoice (id INTEGER)");
    db.close();
    await expect(open()).rejects.toMatchObject({ code: "ERR_LOG_FOREIGN" });
    expect(() => EventLogReader.open(path)).toThrow(expect.objectContaining({ code: "ERR_LOG_UNREADABLE" }));
  });
});

describe("a damaged file", () => {
  test.each<[string, () => void]>([
    [
      "that is no database any more",
      () => writeFileSync(path, "not a database, and long enough to be taken for one ".repeat(50)),
    ],
    [
      "with one broken page in the middle, that neither its beginning nor its end tells of",
      () => {
        const db = new DatabaseSync(path);
        const leaves = db
          .prepare("SELECT pageno FROM dbstat WHERE name = 'event' AND pagetype = 'leaf' ORDER BY path")
          .all();
        db.close();
        const page = leaves[Math.floor(leaves.length / 2)]?.pageno as number;
        const file = openSync(path, "r+");
        writeSync(file, Buffer.alloc(64, 0xa5), 0, 64, (page - 1) * 4096);
        closeSync(file);
      },
    ],
  ])("%s is moved aside, a new one is begun and says so first", async (_, damage) => {
    const first = await open();
    await first.append(range(1, 400));
    await first[Symbol.asyncDispose]();
    damage();

    const { log, lines } = listening();
    const second = await open({ log });
    const aside = readdirSync(directory).find((name) => name.includes("damaged"));
    expect(aside).toMatch(/^events\.db\.damaged-2\d{3}-/);
    expect(lines[0]).toEqual([
      "error",
      "event log was damaged: moved aside, beginning a new one",
      { path, movedTo: join(directory, aside ?? ""), damage: expect.any(String) },
    ]);
    expect(second.gap()).toEqual({ count: 0, after: 0, reason: expect.stringContaining("moved to") });
    expect(await second.append(range(1, 1))).toBe("unlogged");
    expect(await second.append([gapRecord(2, 0), hostAddressesRecord(3)])).toBe("logged");
    expect(seqs()).toEqual([1, 2, 3]);
    expect(second.gap()).toBeUndefined();
  });
});

describe("a log that cannot be opened", () => {
  test("does not keep the agent from starting, and is used once it can be", async () => {
    writeFileSync(join(directory, "file"), "");
    path = join(directory, "file", "events.db");
    const { log, lines } = listening();
    const eventLog = await open({ log });
    expect(lines[0]?.slice(0, 2)).toEqual(["error", "event log cannot be written, going on unlogged"]);
    expect(await eventLog.append(range(1, 2))).toBe("unlogged");
    expect(eventLog.status()).toMatchObject({ state: "failing", lostEvents: 0, heldEvents: 2 });
    expect(eventLog.gap()).toBeUndefined();

    const writable = new Promise<void>((resolve) => eventLog.onWritable(resolve));
    rmSync(join(directory, "file"));
    await writable;
    expect(eventLog.gap()).toMatchObject({ count: 0, after: 2 });
    expect(await eventLog.append([gapRecord(3, 0), hostAddressesRecord(4)])).toBe("logged");
    expect(seqs()).toEqual([1, 2, 3, 4]);
    expect(eventLog.status()).toEqual({ path, state: "healthy", lostEvents: 0, heldEvents: 0 });
  });

  test("and turns out to have rows of these numbers: what is held is not mistaken for them", async () => {
    const before = await open();
    await before.append(range(1, 5));
    await before[Symbol.asyncDispose]();
    const away = join(directory, "away");
    renameSync(path, away);
    const directoryInTheWay = path;
    mkdirSync(directoryInTheWay);
    const eventLog = await open();
    expect(await eventLog.append(range(1, 2))).toBe("unlogged");
    const writable = new Promise<void>((resolve) => eventLog.onWritable(resolve));
    rmdirSync(directoryInTheWay);
    renameSync(away, path);
    await writable;
    expect(eventLog.gap()).toMatchObject({ count: 2, after: 5 });
    expect(await eventLog.append([gapRecord(6, 2)])).toBe("logged");
    expect(seqs()).toEqual([1, 2, 3, 4, 5, 6]);
  });
});

describe("a disk that stalls", () => {
  /** Another process's lock keeps the writer waiting as a stuck disk would. */
  function lock(): () => void {
    const db = new DatabaseSync(path);
    db.exec("BEGIN IMMEDIATE");
    return () => {
      db.exec("ROLLBACK");
      db.close();
    };
  }

  test("holds nobody longer than the deadline; rows that were on their way are written late, and nothing is missing", async () => {
    const log = await open({ appendDeadlineMs: 500 });
    await log.append(range(1, 1));
    await waitFor(() => expect(log.lastSeq).toBe(1));
    const release = lock();
    const begin = performance.now();
    expect(await log.append(range(2, 2))).toBe("unlogged");
    const waited = performance.now() - begin;
    expect(waited).toBeGreaterThan(450);
    expect(waited).toBeLessThan(1000);
    expect(log.status().state).toBe("stalled");
    // The next one does not wait again.
    const again = performance.now();
    expect(await log.append(range(3, 3))).toBe("unlogged");
    expect(performance.now() - again).toBeLessThan(250);
    release();
    await waitFor(() => expect(log.status()).toMatchObject({ state: "healthy", lostEvents: 0, heldEvents: 0 }));
    expect(log.gap()).toBeUndefined();
    expect(await log.append(range(4, 4))).toBe("logged");
    expect(seqs()).toEqual([1, 2, 3, 4]);
  });

  test("for too long: rows are held and written late, and that they were comes before anything new", async () => {
    const log = await open({ appendDeadlineMs: 300 });
    await log.append(range(1, 1));
    await waitFor(() => expect(log.lastSeq).toBe(1));
    const release = lock();
    expect(await log.append(range(2, 3))).toBe("unlogged");
    // On its way behind the one that will fail: it must not be written before that one.
    expect(await log.append(range(4, 4))).toBe("unlogged");
    await waitFor(() => expect(log.status().state).toBe("failing"));
    release();
    expect(await log.append(range(5, 5))).toBe("unlogged");
    await waitFor(() =>
      expect(log.gap()).toMatchObject({ count: 0, reason: expect.stringMatching(/locked/), after: 5 }),
    );
    expect(seqs()).toEqual([1]);
    expect(await log.append([gapRecord(6, 0), hostAddressesRecord(7)])).toBe("logged");
    expect(seqs()).toEqual([1, 2, 3, 4, 5, 6, 7]);
  });

  test("while rows are still on their way: what is kept meanwhile takes its place behind them", async () => {
    const log = await open({ appendDeadlineMs: 300 });
    await log.append(range(1, 1));
    await waitFor(() => expect(log.lastSeq).toBe(1));
    const release = lock();
    const waiting = range(2, 6).map((record) => log.append([record]));
    await waitFor(() => expect(log.status().state).toBe("failing"));
    // The first has failed, the others may not have answered yet.
    for (let seq = 7; seq < 10; seq++) void log.append(range(seq, seq));
    release();
    await Promise.all(waiting);
    await waitFor(() => expect(log.gap()).toMatchObject({ count: 0, after: 9 }));
    await log.append([gapRecord(10, 0)]);
    expect(seqs()).toEqual(range(1, 10).map(({ seq }) => seq));
  });

  test("for so long that memory runs out: the first rows are held, the others counted", async () => {
    const log = await open({ appendDeadlineMs: 300, maxWaitingRows: 5 });
    await log.append(range(1, 1));
    await waitFor(() => expect(log.lastSeq).toBe(1));
    const release = lock();
    await log.append(range(2, 3));
    await waitFor(() => expect(log.status().state).toBe("failing"));
    await log.append(range(4, 6));
    await log.append(range(7, 7));
    await log.append(range(8, 8));
    expect(log.status()).toMatchObject({ state: "failing", heldEvents: 5, lostEvents: 2 });
    release();
    await waitFor(() => expect(log.gap()).toMatchObject({ count: 2, after: 6 }));
    // Numbers go on behind those that were let go.
    expect(await log.append([gapRecord(9, 2)])).toBe("logged");
    expect(seqs()).toEqual([1, 2, 3, 4, 5, 6, 9]);
  });

  test("does not fill the memory: what is too much is counted and let go", async () => {
    const log = await open({ appendDeadlineMs: 500, maxWaitingRows: 10 });
    await log.append(range(1, 1));
    await waitFor(() => expect(log.lastSeq).toBe(1));
    const release = lock();
    const waiting = [log.append(range(2, 9)), log.append(range(10, 20))];
    const writable = new Promise<void>((resolve) => log.onWritable(resolve));
    expect(await Promise.all(waiting)).toEqual(["unlogged", "unlogged"]);
    expect(log.status()).toMatchObject({ state: "failing", lostEvents: 11, reason: "the disk is too slow" });
    release();
    await writable;
    expect(log.gap()).toEqual({ count: 11, reason: "the disk is too slow", after: 9 });
    await log.append([gapRecord(21, 11)]);
    expect(seqs()).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 21]);
  });
});

describe("a log that is taken away", () => {
  test.each<[string, () => void]>([
    ["removed", () => rmSync(path)],
    ["moved", () => renameSync(path, `${path}.away`)],
    [
      "replaced",
      () => {
        renameSync(path, `${path}.away`);
        writeFileSync(path, "");
      },
    ],
  ])("%s: a new one is begun, and its first row counts what went with the old one", async (_, take) => {
    const log = await open();
    await log.append(range(1, 5));
    take();
    expect(await log.append(range(6, 7))).toBe("unlogged");
    await waitFor(() =>
      expect(log.gap()).toMatchObject({ count: 7, after: 0, reason: expect.stringMatching(/was removed or replaced/) }),
    );
    expect(await log.append([gapRecord(8, 7)])).toBe("logged");
    expect(seqs()).toEqual([8]);
  });
});

describe("a crash", () => {
  test("of the writer's thread: it is started again, and no row is lost", async () => {
    const workers: Worker[] = [];
    const seen = (message: unknown) => void workers.push((message as { worker: Worker }).worker);
    subscribe("worker_threads", seen);
    const log = await open();
    unsubscribe("worker_threads", seen);
    await log.append(range(1, 100));
    const pending = log.append(range(101, 200));
    await workers[0]?.terminate();
    const appended = await pending;
    await waitFor(() => expect(log.status().state === "healthy" || log.gap() !== undefined).toBe(true));
    // Whether the commit was done before the thread ended or not: each row is there once.
    const gap = log.gap();
    expect(gap?.count ?? 0).toBe(0);
    if (appended === "logged") expect(log.lastSeq).toBe(200);
    expect(await log.append([gap === undefined ? hostAddressesRecord(201) : gapRecord(201, 0)])).toBe("logged");
    expect(seqs()).toEqual(range(1, 201).map(({ seq }) => seq));
  });

  test("of the whole process keeps every row that was acknowledged, without a hole", async () => {
    const script = join(import.meta.dirname, "..", "testing", "append-forever.ts");
    for (const after of [30, 600]) {
      const child = spawn(process.execPath, ["--conditions=source", script, path], {
        stdio: ["ignore", "pipe", "inherit"],
      });
      const exited = new Promise((resolve) => child.once("exit", resolve));
      let acknowledged = 0;
      for await (const line of createInterface({ input: child.stdout })) {
        acknowledged = Math.max(acknowledged, Number(line));
        if (acknowledged >= after) child.kill("SIGKILL");
      }
      await exited;
      expect(acknowledged).toBeGreaterThanOrEqual(after);
      const rows = seqs();
      expect(rows.at(-1)).toBeGreaterThanOrEqual(acknowledged);
      expect(rows).toEqual(range(1, rows.length).map(({ seq }) => seq));
      // Batches are whole.
      expect(rows.length % 3).toBe(0);
    }
    expect((await open()).gap()).toBeUndefined();
    expect(existsSync(path)).toBe(true);
  });
});
