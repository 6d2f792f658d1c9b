import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { type EventInput, EventLog, initialState, silentLogger, step } from "@millrace/core/internal";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { AgentLogs } from "./agent-logs.ts";
import { accountSince, notesSoFar } from "./log-account.ts";

const directory = mkdtempSync(join(tmpdir(), "millrace-agent-logs-"));
const good = join(directory, "good.db");
const forged = join(directory, "forged.db");
const absent = join(directory, "absent.db");

beforeAll(async () => {
  await using log = await EventLog.open({
    path: good,
    appendDeadlineMs: 10_000,
    keepEvents: 1_000,
    log: silentLogger,
  });
  const input = { type: "host.addresses", subject: "node", data: { addresses: ["198.18.0.1"] } } satisfies EventInput;
  await log.append(step(initialState, input, "2026-01-02T03:04:05.000Z").records);
});

beforeAll(() => {
  cpSync(good, forged);
  using db = new DatabaseSync(forged);
  db.exec("UPDATE event SET seq = 2");
});

afterAll(() => rmSync(directory, { recursive: true }));

let logs: AgentLogs;
let notes: number;
beforeEach(() => {
  logs = new AgentLogs();
  notes = notesSoFar();
});

test("a log is verified for all agents that have written it, once", () => {
  logs.started(good);
  logs.started(good);
  logs.settleAll();
  logs.settleAll();
  expect(accountSince(notes)).toMatchObject({ replayed: 2, logs: 1, events: 1 });
});

test("one that does not replay, and one that is not there, are failures, and both are named", () => {
  logs.started(forged);
  logs.started(absent);
  logs.started(good);
  expect(() => logs.settleAll()).toThrow(
    /forged\.db does not replay: event 1 \(missing\)[\s\S]*no event log at .*absent/,
  );
  expect(accountSince(notes)).toMatchObject({ replayed: 1, none: 0 });
});

test("one that is purged was verified before, and what is written afterwards has to be there again", () => {
  logs.started(absent);
  expect(() => logs.settle(absent)).toThrow("there is no event log");
  cpSync(good, absent);
  logs.settle(absent);
  rmSync(absent);
  logs.settleAll();
  logs.started(absent);
  expect(() => logs.settleAll()).toThrow("there is no event log");
  logs.withoutLog = "it cannot be written";
  logs.settleAll();
  expect(accountSince(notes)).toMatchObject({ replayed: 1, none: 1, because: ["it cannot be written"] });
});
