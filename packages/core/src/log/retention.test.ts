import { cpSync, existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { canonicalJson } from "../events/canonical-json.ts";
import { inputs } from "../events/inputs.ts";
import { silentLogger } from "../logger.ts";
import { replay } from "../replay/replay.ts";
import { verify } from "../replay/verify.ts";
import { toSnapshot } from "../state/snapshot.ts";
import { testAgent } from "../testing/agent.ts";
import { meshNamespace, pod, proxyPod, started, synced, veth, vethGone } from "../testing/scenario.ts";
import { LogDatabase } from "./database.ts";
import { EventLog } from "./event-log.ts";
import type { LogLimits } from "./limits.ts";
import { EventLogReader } from "./reader.ts";
import type { LogRow } from "./schema.ts";

vi.setConfig({ testTimeout: 120_000 });

const MIB = 1 << 20;
const UNLIMITED: LogLimits = { keepEvents: 1e9, maxAgeDays: 1e6, maxBytes: 1e12 };
const NOW = new Date("2026-03-01T00:00:00.000Z");

let directory: string;
let path: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "millrace-retention-"));
  path = join(directory, "events.db");
});
afterEach(() => rmSync(directory, { recursive: true }));

const open = (limits: Partial<LogLimits>) =>
  LogDatabase.open(path, { busyTimeoutMs: 1000, check: false, limits: { ...UNLIMITED, ...limits } });

/** Every tenth row is a snapshot; one row an hour, the last of them now. */
function rows(from: number, to: number, { last = to, bytes = 2, every = 10 } = {}): LogRow[] {
  return Array.from({ length: to - from + 1 }, (_, index) => {
    const seq = from + index;
    const time = new Date(NOW.getTime() - (last - seq) * 3_600_000).toISOString();
    return [seq, time, seq % every === 0 ? "state.snapshot" : "x", `subject/${seq % 97}`, "x".repeat(bytes)];
  });
}

/** The first `seq` and the last. */
function ends(): number[] {
  using db = new DatabaseSync(path, { readOnly: true });
  return Object.values(db.prepare("SELECT min(seq), max(seq) FROM event").get() ?? {}) as number[];
}

const sizeOf = (names: readonly string[]) => names.reduce((sum, name) => sum + statSync(join(directory, name)).size, 0);

describe("by age", () => {
  test("what ended before it goes, from snapshot to snapshot, and no sooner", () => {
    using database = open({ maxAgeDays: 2 });
    database.insert(rows(1, 100));
    // The row at 48 hours is the 52nd; the stretch of 50 to 59 is not wholly older.
    while (database.tidy(NOW) > 0) expect((ends()[0] ?? 0) % 10).toBe(0);
    expect(ends()).toEqual([50, 100]);
  });

  test("a clock that is years ahead leaves the newest snapshot and what is behind it", () => {
    using database = open({ maxAgeDays: 2 });
    database.insert(rows(1, 105));
    while (database.tidy(new Date("2036-01-01T00:00:00.000Z")) > 0);
    expect(ends()).toEqual([100, 105]);
    // Put back again, nothing is older than what was written in the future.
    database.insert(rows(106, 120, { last: 120 }));
    expect(database.tidy(new Date("2020-01-01T00:00:00.000Z"))).toBe(0);
  });
});

describe("by size", () => {
  test("all of it together stays below the limit, whatever is written", () => {
    const maxBytes = 4 * MIB;
    using database = open({ maxBytes });
    let largest = 0;
    for (let seq = 1; seq < 20_000; seq += 125) {
      database.insert(rows(seq, seq + 124, { bytes: 400, every: 250 }));
      database.tidy(NOW);
      largest = Math.max(largest, sizeOf(readdirSync(directory)));
    }
    expect(largest).toBeLessThanOrEqual(maxBytes);
    expect(largest).toBeGreaterThan(maxBytes / 2);
    const [first = 0, last] = ends();
    expect(last).toBe(20_000);
    expect(first % 250).toBe(0);
    expect(first).toBeGreaterThan(10_000);
  });

  test("a file that was allowed to be larger shrinks to a lower limit", () => {
    {
      using database = open({});
      for (let seq = 1; seq < 20_000; seq += 500) database.insert(rows(seq, seq + 499, { bytes: 400, every: 250 }));
    }
    expect(statSync(path).size).toBeGreaterThan(8 * MIB);
    {
      using database = open({ maxBytes: 4 * MIB });
      for (let turn = 0; turn < 100; turn++) database.tidy(NOW);
    }
    expect(statSync(path).size).toBeLessThan(4 * MIB);
    expect(ends()[1]).toBe(20_000);
  });

  test("damaged files are the newest three, and no more than the limit in all", async () => {
    const aside = (day: number) => `events.db.damaged-2026-01-0${day}T000000.000Z`;
    for (let day = 1; day <= 5; day++) writeFileSync(join(directory, aside(day)), Buffer.alloc(MIB));
    writeFileSync(join(directory, `${aside(1)}-wal`), "");
    const damage = async (maxBytes: number) => {
      writeFileSync(path, "no database, and long enough to be taken for one ".repeat(50));
      const options = { appendDeadlineMs: 10_000, openDeadlineMs: 60_000, keepEvents: 1000, log: silentLogger };
      await using _ = await EventLog.open({ path, ...options, maxBytes });
      return readdirSync(directory)
        .filter((name) => name.includes("damaged"))
        .sort();
    };
    expect(await damage(100 * MIB)).toEqual([aside(4), aside(5), expect.stringMatching(/damaged-20/)]);
    expect(await damage(MIB / 2)).toHaveLength(2);
  });
});

describe("what is left of a pruned log", () => {
  /** Pods come and go on a real engine; a snapshot after so many rows. */
  async function record(options: Record<"maxBytes" | "pods" | "snapshotEvery", number>): Promise<void> {
    const { maxBytes, pods, snapshotEvery } = options;
    await using eventLog = await EventLog.open({
      path,
      appendDeadlineMs: 60_000,
      openDeadlineMs: 60_000,
      keepEvents: 1e9,
      log: silentLogger,
      maxBytes,
    });
    const agent = testAgent({ eventLog, snapshotEvery });
    const labels = { note: "x".repeat(maxBytes < MIB * 100 ? 3000 : 10) };
    for (const input of [started(), meshNamespace(), synced, proxyPod(90), veth(90)]) await agent.engine.submit(input);
    for (let index = 1; index <= pods; index++) {
      const gone = index - 5;
      if (gone > 0) await agent.engine.submit(inputs.podRemoved(`uid-${gone}`));
      if (gone > 0) await agent.engine.submit(vethGone(gone));
      await agent.engine.submit(pod(index, { labels }));
      await agent.engine.submit(veth(index));
      await agent.idle();
    }
  }

  /** The state behind each turn, as text, by the turn's `seq`. */
  function states(file: string): Map<number, string> {
    using reader = EventLogReader.open(file);
    return new Map([...replay(reader.rows())].map(({ input, after }) => [input.seq, canonicalJson(toSnapshot(after))]));
  }

  test("verifies, and comes through the same states as the whole", async () => {
    await record({ pods: 30, snapshotEvery: 30, maxBytes: UNLIMITED.maxBytes });
    const whole = join(directory, "whole.db");
    cpSync(path, whole);
    const all = states(whole);
    expect(all.size).toBeGreaterThan(150);
    using database = open({ keepEvents: 30 });
    const firsts = new Set<number>();
    do {
      const left = states(path);
      const [first = 0] = left.keys();
      firsts.add(first);
      expect([...left]).toEqual([...all].filter(([seq]) => seq >= first));
      using reader = EventLogReader.open(path);
      expect(verify(reader.rows())).toMatchObject({ differences: [], skipped: [] });
    } while (database.tidy(NOW) > 0);
    expect(firsts.size).toBeGreaterThan(3);
  });

  test("there are snapshots enough to prune by where the limit is low", async () => {
    await record({ pods: 120, maxBytes: 4 * MIB, snapshotEvery: 1e9 });
    using reader = EventLogReader.open(path);
    const snapshots = [...reader.read({ types: ["state.snapshot"] })].map(({ seq }) => seq);
    expect(snapshots.length).toBeGreaterThan(2);
    expect(verify(reader.rows())).toMatchObject({ differences: [], skipped: [] });
  });
});

test("the reserve is given up on a full disk, and taken again later; the newest snapshot is not", () => {
  using database = open({ maxBytes: 4 * MIB });
  database.insert(rows(1, 25));
  database.tidy(NOW);
  const reserve = `${path}.reserve`;
  expect(statSync(reserve).size).toBe(MIB / 4);
  expect(database.makeRoom()).toBe(true);
  expect(existsSync(reserve)).toBe(false);
  expect(ends()).toEqual([20, 25]);
  database.tidy(NOW);
  expect(existsSync(reserve)).toBe(true);
  expect(database.makeRoom()).toBe(true);
  expect(database.makeRoom()).toBe(false);
});
