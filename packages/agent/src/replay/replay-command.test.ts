import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type EventInput,
  EventLog,
  type EventRecord,
  formatHeader,
  rowOf,
  silentLogger,
} from "@millrace/core/internal";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { EXIT } from "../exit-codes.ts";
import { RecordedRun, recordedDay, UID } from "../testing/recorded-day.ts";
import { runCommand } from "../testing/run-command.ts";

let directory: string;
let log: string;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "millrace-replay-"));
  log = file("day.jsonl", recordedDay().jsonl);
});
afterAll(() => rmSync(directory, { recursive: true }));

function file(name: string, text: string): string {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
}

const lines = (records: readonly EventRecord[]) => records.map((record) => `${rowOf(record).line}\n`).join("");
const seqsOf = (out: string) => [...out.matchAll(/^ +(\d+) 2026-/gm)].map(([, seq]) => Number(seq));

describe("the timeline", () => {
  test("what was known, decided and done, and how long it took", async () => {
    const { code, out } = await runCommand("replay", log);
    expect(code).toBe(EXIT.ok);
    expect(out).toMatchInlineSnapshot(`
      "     1 2026-01-02T03:04:05.000Z            known    agent agent.started version 0.1.0 node n1 redirectMode auto fails closed
           2 2026-01-02T03:04:06.000Z   +1.000 s known    namespace/shop namespace.observed istio.io/dataplane-mode=ambient
           3 2026-01-02T03:04:07.000Z   +1.000 s known    shop/web-1 pod.observed shop/web-1 Running ready 198.18.1.11
           4 2026-01-02T03:04:08.000Z   +1.000 s known    shop/web-1 interface.added shop/web-1 h-m1(3) 198.18.1.11 netns 7 by cni
           5 2026-01-02T03:04:08.000Z            decided  shop/web-1 apply shop/web-1 198.18.1.11 h-m1(3) because of 4
           6 2026-01-02T03:04:10.000Z   +2.000 s known    watch/manifests watch.synced
           7 2026-01-02T03:04:11.000Z   +1.000 s done     shop/web-1 redirection.failed apply intent 5 1.5 ms ENODEV: no such device, 3000 ms after it was asked for
           8 2026-01-02T03:04:12.000Z   +1.000 s known    shop/web-1 retry.due attempt 2 after 75 ms
           9 2026-01-02T03:04:12.000Z            decided  shop/web-1 apply shop/web-1 198.18.1.11 h-m1(3) because of 8
          10 2026-01-02T03:04:14.000Z   +2.000 s done     shop/web-1 redirection.applied apply intent 9 1.5 ms attempt 2, 2000 ms after it was asked for
          11 2026-01-02T03:04:15.000Z   +1.000 s log      log state.snapshot 1 pods, 1 interfaces, 1 intents
          12 2026-01-02T03:04:16.000Z   +1.000 s known    shop/web-1 pod.removed
          13 2026-01-02T03:04:16.000Z            decided  shop/web-1 remove 0f8fad5b-d9cb-469f-a165-70867728950e because of 12
          14 2026-01-02T03:04:18.000Z   +2.000 s known    shop/web-1 interface.removed pod 0f8fad5b-d9cb-469f-a165-70867728950e
      14 events replayed: 3 intents and 1 snapshot the same, byte for byte
      same decisions
      "
    `);
  });

  test("of one pod: its events, their decisions, and the agent's life", async () => {
    for (const pod of ["web-1", "shop/web-1", UID]) {
      const { out } = await runCommand("replay", log, "--pod", pod);
      expect(seqsOf(out)).toEqual([1, 3, 4, 5, 7, 8, 9, 10, 12, 13, 14]);
    }
    expect(seqsOf((await runCommand("replay", log, "--pod", "web-2")).out)).toEqual([1]);
  });

  test("of one pod has the event of something else that decided about it", async () => {
    const given = recordedDay().records.map(({ type, subject, data }) => ({ type, subject, data }) as EventInput);
    const [started, namespace, pod, veth] = given as [EventInput, EventInput, EventInput, EventInput];
    const story = new RecordedRun().feed(started, pod, veth, namespace);
    const { out } = await runCommand("replay", file("late.jsonl", story.jsonl), "--pod", "web-1");
    expect(out).toMatch(/^ +4 .* known +namespace\/shop .*\n +5 .* decided +shop\/web-1 apply/m);
  });

  test("of two nodes as one, by time, each line with its node", async () => {
    const other = file("n2.jsonl", recordedDay("n2").jsonl);
    const { code, out } = await runCommand("replay", log, other);
    expect(code).toBe(EXIT.ok);
    const told = [...out.matchAll(/^(n[12]) +(\d+) (2026-\S+)/gm)].map(([, node, seq, time]) => ({ node, seq, time }));
    expect(told).toHaveLength(28);
    expect(told.slice(0, 3)).toMatchObject([
      { node: "n1", seq: "1" },
      { node: "n2", seq: "1" },
      { node: "n1", seq: "2" },
    ]);
    expect(told.map(({ time }) => time)).toEqual(told.map(({ time }) => time).sort());
    expect(out).toMatch(/^day\.jsonl: 14 events .*\nday\.jsonl: same.*\nn2\.jsonl: 14 events/m);
  });

  test("as JSON: a line for each moment, and one for what it came to", async () => {
    const { out } = await runCommand("replay", log, "--json");
    const told = out
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(told).toHaveLength(15);
    expect(told[9]).toEqual({
      log,
      node: "n1",
      seq: 10,
      time: "2026-01-02T03:04:14.000Z",
      kind: "done",
      type: "redirection.applied",
      about: "shop/web-1",
      text: "apply intent 9 1.5 ms attempt 2",
      of: 9,
      tookMs: 1.5,
      sinceMs: 2000,
    });
    expect(told[14]).toMatchObject({ kind: "result", events: 14, differences: [] });
  });
});

describe("--until", () => {
  test("the state at that point", async () => {
    const { out } = await runCommand("replay", log, "--until", "7");
    expect(out).toContain("state after event 7\n");
    expect(out).toMatch(/^shop\/web-1 .* apply +failed +ENODEV: no such device$/m);
    expect((await runCommand("replay", log, "--until", "3")).out).toMatch(/^shop\/web-1 .* pending +- +no interface$/m);
    expect((await runCommand("replay", log, "--until", "99", "--pod", "web-2")).out).not.toContain("shop/web-1");
  });

  test("as JSON, the state as a snapshot has it", async () => {
    const { out } = await runCommand("replay", log, "--until", "10", "--json");
    const snapshot = recordedDay().records.find(({ type }) => type === "state.snapshot");
    expect(JSON.parse(out)).toEqual({ seq: 10, ...snapshot?.data });
  });
});

describe("--verify", () => {
  const day = recordedDay().records;

  test("is content with what an agent wrote", async () => {
    expect(await runCommand("replay", "--verify", log)).toMatchObject({
      code: EXIT.ok,
      out: "14 events replayed: 3 intents and 1 snapshot the same, byte for byte\nsame decisions\n",
    });
  });

  test.each([
    [
      "one flipped byte in an intent",
      () => recordedDay().jsonl.replace('"hostIndex":3', '"hostIndex":2'),
      /^event 5 differs: it is decided otherwise \(because of event 4, interface.added interface\/c1\)\n/,
    ],
    [
      "one that means the same",
      () => recordedDay().jsonl.replace('{"data":{"action":"apply","cause":4', '{"data":{"action": "apply","cause":4'),
      /^event 5 differs/,
    ],
    [
      "one removed input",
      () => lines(day.filter(({ seq }) => seq !== 6)),
      /^event 6 is missing, and no log\.gap counts as many\n/,
    ],
    ["one removed intent", () => lines(day.filter(({ seq }) => seq !== 9)), /^event 9 differs/],
    [
      "a changed input that nothing was decided by",
      () => recordedDay().jsonl.replace(/(.*watch.synced.*)\n/, (line) => line.replaceAll("manifests", "manifestz")),
      /^event 11 differs: the state at this snapshot is another one\n/,
    ],
    [
      "a file that was cut off",
      () => `${formatHeader({ node: "n1", first: 1, last: 14, redacted: false })}\n${lines(day.slice(0, 12 - 1))}`,
      /^event 12 and what followed it are missing: the log was cut off\n/,
    ],
  ])("%s: exit 1, and its event", async (_, text, message) => {
    const { code, out } = await runCommand("replay", "--verify", file("changed.jsonl", text()));
    expect(code).toBe(1);
    expect(out).toMatch(message);
  });

  test("a row that is none is told by its line", async () => {
    const broken = file("broken.jsonl", recordedDay().jsonl.replace('"phase":"Running"', '"phase":"Runnin"'));
    await expect(runCommand("replay", "--verify", broken)).rejects.toMatchObject({
      code: "ERR_EVENT_INVALID",
      message: expect.stringMatching(/broken\.jsonl line 3: pod\.observed: /),
    });
  });

  test("several logs, each by its name", async () => {
    const bad = file("bad.jsonl", lines(day.slice(1)));
    const { code, out } = await runCommand("replay", "--verify", log, bad);
    expect(code).toBe(EXIT.differs);
    expect(out).toMatch(/^day\.jsonl: same decisions$/m);
    expect(out).toMatch(/^bad\.jsonl: 1 difference$/m);
  });
});

test("--diff tells every place, and goes on", async () => {
  const changed = recordedDay().jsonl.replaceAll(
    '"spec":{"addresses":["198.18.1.11"]',
    '"spec":{"addresses":["198.18.1.12"]',
  );
  const { code, out } = await runCommand("replay", "--diff", file("changed.jsonl", changed));
  expect(code).toBe(EXIT.differs);
  expect(out.match(/^event \d+ differs/gm)).toEqual(["event 5 differs", "event 9 differs"]);
  expect(out).toMatch(/^ {2}recorded .*198\.18\.1\.12.*\n {2}decided .*198\.18\.1\.11/m);
});

describe("--accept", () => {
  test("records what is decided today, once", async () => {
    const changed = recordedDay().jsonl.replaceAll(
      '"enrolExisting":"drain","exclusions"',
      '"enrolExisting":"reset","exclusions"',
    );
    const path = file("accepted.jsonl", changed);
    const { out } = await runCommand("replay", "--accept", path);
    expect(out).toMatch(/^event 5 differs[\s\S]*today's decisions are recorded\n$/);
    expect(readFileSync(path, "utf8")).toBe(
      `${formatHeader({ node: "n1", first: 1, last: 14, redacted: false })}\n${recordedDay().jsonl}`,
    );
    expect((await runCommand("replay", "--verify", path)).code).toBe(EXIT.ok);
    const accepted = readFileSync(path);
    expect((await runCommand("replay", "--accept", path)).out).toBe("nothing to accept: same decisions\n");
    expect(readFileSync(path)).toEqual(accepted);
  });

  test("of a log in which nothing is decided any more", async () => {
    const path = file(
      "none.jsonl",
      recordedDay().jsonl.replace('istio.io/dataplane-mode":"ambient"},"name', 'x":"y"},"name'),
    );
    await runCommand("replay", "--accept", path);
    expect(readFileSync(path, "utf8")).not.toContain("redirection.requested");
    expect((await runCommand("replay", "--verify", path)).code).toBe(EXIT.ok);
  });

  test("not of a log with holes, nor of an agent's own", async () => {
    const holed = file("holed.jsonl", lines(recordedDay().records.filter(({ seq }) => seq !== 2)));
    await expect(runCommand("replay", "--accept", holed)).rejects.toMatchObject({ code: "ERR_ACCEPT_INCOMPLETE" });
    const database = join(directory, "events.db");
    const events = await EventLog.open({ path: database, appendDeadlineMs: 5000, keepEvents: 1000, log: silentLogger });
    await events.append(recordedDay().records);
    await events[Symbol.asyncDispose]();
    await expect(runCommand("replay", "--accept", database)).rejects.toMatchObject({ code: "ERR_ACCEPT_LOG" });
    expect(await runCommand("replay", "--verify", database)).toMatchObject({ code: EXIT.ok });
  });
});

test("what cannot be asked for together is refused, and so is what is no log", async () => {
  await expect(runCommand("replay", log, "--verify", "--diff")).rejects.toMatchObject({
    exitCode: 1,
    code: /conflict/i,
  });
  await expect(runCommand("replay", log, log, "--until", "3")).rejects.toMatchObject({
    message: expect.stringContaining("--until takes one log"),
  });
  await expect(runCommand("replay", file("empty", ""))).rejects.toMatchObject({ code: "ERR_LOG_UNREADABLE" });
  await expect(runCommand("replay", file("text", "hello\n"))).rejects.toMatchObject({ code: "ERR_LOG_UNREADABLE" });
  await expect(runCommand("replay", join(directory, "nowhere"))).rejects.toMatchObject({ code: "ERR_NO_EVENT_LOG" });
  const newer = file("newer", '{"millrace":"event log","schema":99,"other":1}\n');
  await expect(runCommand("replay", newer)).rejects.toMatchObject({ code: "ERR_LOG_NEWER_SCHEMA" });
});
