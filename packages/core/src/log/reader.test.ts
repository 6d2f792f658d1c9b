import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { EventRecord } from "../events/event.ts";
import { silentLogger } from "../logger.ts";
import { pod, Scenario, started, synced, veth } from "../testing/scenario.ts";
import { EventLog } from "./event-log.ts";
import { EventLogReader } from "./reader.ts";

const directory = mkdtempSync(join(tmpdir(), "millrace-reader-"));
const path = join(directory, "events.db");
const run = new Scenario();
let log: EventLog;

beforeAll(async () => {
  run.feed(started(), synced, pod(1), veth(1), pod(2), veth(2));
  log = await EventLog.open({ path, appendDeadlineMs: 2000, keepEvents: 1000, log: silentLogger });
  await log.append(run.records);
});

afterAll(async () => {
  await log[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true });
});

test("rows come back as they were, in order", () => {
  using reader = EventLogReader.open(path);
  expect([...reader.read()]).toEqual(run.records);
  expect(reader.lastSeq()).toBe(6);
  expect(reader.lastSnapshot()).toBeUndefined();
});

test.each([
  [{ since: 5 }, [5, 6]],
  [{ types: ["pod.observed", "watch.synced"] }, [2, 3, 5]],
  [{ subjects: ["interface/container-1"] }, [4]],
  [{ types: ["pod.observed"], subjects: ["pod/uid-2"], since: 2 }, [5]],
  [{ limit: 2 }, [1, 2]],
  [{ last: 2 }, [5, 6]],
  [{ last: 2, types: ["pod.observed", "agent.started"] }, [3, 5]],
  [{ types: [] }, []],
])("%j", (filter, seqs) => {
  using reader = EventLogReader.open(path);
  expect([...reader.read(filter)].map(({ seq }) => seq)).toEqual(seqs);
});

test("following gives what is there and then what comes, and ends with the signal", async () => {
  using reader = EventLogReader.open(path);
  const end = new AbortController();
  const seen: number[] = [];
  for await (const { seq } of reader.follow({ last: 1 }, { signal: end.signal, pollMs: 5 })) {
    seen.push(seq);
    if (seq === 6) {
      await log.append([{ ...(run.records[2] as EventRecord), seq: 7 }]);
    }
    if (seq === 7) end.abort();
  }
  expect(seen).toEqual([6, 7]);
});

test("a log that is not there, and a row that is not what its type says, are told", () => {
  expect(() => EventLogReader.open(join(directory, "none.db"))).toThrow(/does not exist. Has an agent run here/);
  const copy = join(directory, "broken.db");
  const source = new DatabaseSync(path);
  source.exec(`VACUUM INTO '${copy}'`);
  source.close();
  const db = new DatabaseSync(copy);
  db.exec(`UPDATE event SET data = '{"uid":1}' WHERE seq = 3; UPDATE event SET data = '{' WHERE seq = 4`);
  db.close();
  using reader = EventLogReader.open(copy);
  expect(() => [...reader.read({ limit: 3 })]).toThrow(expect.objectContaining({ code: "ERR_EVENT_INVALID" }));
  expect(() => [...reader.read({ since: 4 })]).toThrow(/event 4: .*in JSON at position 1/);
});
