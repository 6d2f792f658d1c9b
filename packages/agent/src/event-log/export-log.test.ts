import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { EventLog, inputs, silentLogger } from "@millrace/core/internal";
import { afterAll, beforeAll, expect, test } from "vitest";
import { EXIT } from "../exit-codes.ts";
import { recordedDay } from "../testing/recorded-day.ts";
import { runCommand } from "../testing/run-command.ts";

const run = recordedDay()
  .feed(inputs.agentStopped("SIGTERM"))
  .snapshot()
  .feed(inputs.hostAddresses(["198.19.0.1"]));
const LAST = run.records.length;
/** The second snapshot; two events and an intent before the end. */
const SECOND = LAST - 2;
let directory: string;
let path: string;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "millrace-export-"));
  path = join(directory, "events.db");
  await using log = await EventLog.open({ path, appendDeadlineMs: 5000, keepEvents: 1000, log: silentLogger });
  await log.append(run.records);
});
afterAll(() => rmSync(directory, { recursive: true }));

const exported = async (...args: readonly string[]) =>
  (await runCommand("log", "export", "--event-log-path", path, ...args)).out;
const headerOf = (text: string) => JSON.parse(text.slice(0, text.indexOf("\n"))) as Record<string, unknown>;

test("a header, then every row as it is in the log; and it is verified anywhere", async () => {
  const text = await exported();
  expect(headerOf(text)).toEqual({
    millrace: "event log",
    schema: 2,
    node: "n1",
    first: 1,
    last: LAST,
    redacted: false,
  });
  expect(text.slice(text.indexOf("\n") + 1)).toBe(run.jsonl);
  const file = join(directory, "export.jsonl");
  writeFileSync(file, text);
  expect(await runCommand("replay", "--verify", file)).toMatchObject({ code: EXIT.ok });
});

test.each([
  ["1", 1],
  ["11", 11],
  [String(SECOND - 1), 11],
  [String(LAST), SECOND],
  ["9999", SECOND],
  ["3s", 11],
  ["1s", SECOND],
  ["1h", 1],
  ["2026-01-02T03:04:15Z", 11],
  ["2026-01-02T04:04:15+01:00", 11],
  ["2027-01-01T00:00:00Z", SECOND],
])("--since %s begins where replay can: at event %i", async (since, first) => {
  const text = await exported("--since", since);
  expect(headerOf(text)).toMatchObject({ first, last: LAST, node: "n1" });
  expect(text.trimEnd().split("\n")).toHaveLength(LAST - first + 2);
  const file = join(directory, "since.jsonl");
  writeFileSync(file, text);
  expect(await runCommand("replay", "--verify", file)).toMatchObject({ code: EXIT.ok });
});

test.each(["yesterday", "2h30m", "-1", "2026-99-99T00:00:00Z"])("--since %s is refused", async (since) => {
  await expect(exported(`--since=${since}`)).rejects.toMatchObject({ code: "ERR_EXPORT_SINCE" });
});

test("--redact: no name, no address, and the same decisions", async () => {
  const text = await exported("--redact", "--since", "11");
  expect(headerOf(text)).toMatchObject({ redacted: true, node: "node-1", first: 11 });
  for (const word of ["shop", "web-1", "198.18", '"n1"']) expect(text).not.toContain(word);
  const file = join(directory, "redacted.jsonl");
  writeFileSync(file, text);
  expect((await runCommand("replay", "--verify", file)).out).toMatch(/^8 events replayed: 2 intents and 1 snapshot/);
});

test("rows of an older schema as they are, with their version; and redacted, with the one that they were of", async () => {
  const old = join(directory, "old.db");
  {
    await using log = await EventLog.open({ path: old, appendDeadlineMs: 5000, keepEvents: 1000, log: silentLogger });
    await log.append(run.records);
  }
  const database = new DatabaseSync(old);
  database.exec(
    "UPDATE event SET schema = 1 WHERE seq <= 11; UPDATE event SET data = replace(data, '\"dnsCapture\":false,', '') WHERE seq <= 11",
  );
  database.close();
  const [plain, redacted] = (await Promise.all(
    [[], ["--redact"]].map(async (flags) => (await runCommand("log", "export", "--event-log-path", old, ...flags)).out),
  )) as [string, string];
  const lines = plain.trimEnd().split("\n");
  expect(lines.filter((line) => line.includes('"schema":1,"seq"'))).toHaveLength(11);
  expect(lines[1]).not.toContain("dnsCapture");
  expect(lines.slice(12).join("\n")).toBe(run.jsonl.trimEnd().split("\n").slice(11).join("\n"));
  for (const text of [plain, redacted]) {
    const file = join(directory, "old.jsonl");
    writeFileSync(file, text);
    expect((await runCommand("replay", "--verify", file)).out).toMatch(
      /^18 events replayed: 4 intents and 1 snapshot the same/,
    );
  }
});

test("no log", async () => {
  await expect(runCommand("log", "export", "--event-log-path", join(directory, "none.db"))).rejects.toMatchObject({
    code: "ERR_NO_EVENT_LOG",
  });
});
