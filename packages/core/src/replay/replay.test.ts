import { describe, expect, test } from "vitest";
import { canonicalJson } from "../events/canonical-json.ts";
import type { EventRecord } from "../events/event.ts";
import { inputs } from "../events/inputs.ts";
import { rowOf } from "../log/recorded-row.ts";
import { toSnapshot } from "../state/snapshot.ts";
import { replayed } from "../testing/replayed.ts";
import { meshNamespace, pod, Scenario, started, synced, veth, workload } from "../testing/scenario.ts";
import { replay } from "./replay.ts";
import { verify } from "./verify.ts";

type Intent = EventRecord<"redirection.requested">;

/** Three members, one of which goes, with a snapshot in the middle. */
function recorded(): Scenario {
  const run = new Scenario();
  run.feed(started(), synced, meshNamespace(), pod(1), veth(1), pod(2), veth(2));
  run.succeed(workload(1), workload(2));
  run.feed({ type: "state.snapshot", subject: "log", data: toSnapshot(run.state) });
  run.feed(pod(3), veth(3), inputs.podRemoved("uid-1"));
  return run;
}

const isIntent = (record: EventRecord): record is Intent => record.type === "redirection.requested";
const snapshotOf = (run: Scenario) => run.records.find(({ type }) => type === "state.snapshot") as EventRecord;
/** As if the agent had not written these, so that nothing is missing. */
const renumbered = (records: readonly EventRecord[]) =>
  records.map((record, index) => ({ ...record, seq: index + 1 }) as EventRecord);
const verified = (records: readonly EventRecord[], last?: number) => verify(records.map(rowOf), last);

test("a whole log is decided again, and its snapshot is the state", () => {
  const run = recorded();
  const { state, ...result } = replayed(run.records);
  expect(result).toEqual({
    events: run.records.length,
    inputs: 13,
    intents: 4,
    snapshots: 1,
    differences: [],
    skipped: [],
    last: run.records.length,
  });
  expect(toSnapshot(state)).toEqual(toSnapshot(run.state));
});

test("a log whose beginning was deleted begins with a snapshot", () => {
  const run = recorded();
  const rest = run.records.filter(({ seq }) => seq >= snapshotOf(run).seq);
  expect(replayed(rest)).toMatchObject({ intents: 2, differences: [], skipped: [] });
});

describe("rows that are missing", () => {
  test("are a difference, and nothing is compared up to the next snapshot", () => {
    const run = recorded();
    // The namespace is not in this log: what follows cannot be decided again.
    const holed = run.records.filter(({ type }) => type !== "namespace.observed");
    expect(replayed(holed)).toMatchObject({
      intents: 2,
      differences: [{ kind: "missing", seq: 3, cause: { seq: 4 } }],
      skipped: [{ from: 4, to: snapshotOf(run).seq - 1 }],
    });
  });

  test("and no snapshot after them: to the end", () => {
    const run = recorded();
    const holed = run.records.filter(({ type }) => type !== "namespace.observed" && type !== "state.snapshot");
    expect(replayed(holed).skipped).toEqual([{ from: 4, to: run.records.length }]);
  });

  test.each([
    [2, []],
    [1, [{ kind: "missing", seq: 3 }]],
    [3, []],
  ])("two of them, of which a log.gap counts %i, are these differences: %j", (count, differences) => {
    const run = recorded();
    const gap = { ...(run.records[4] as EventRecord), type: "log.gap", data: { count, reason: "full" } } as EventRecord;
    const told = [...run.records.slice(0, 2), gap, ...run.records.slice(5)];
    expect(replayed(told)).toMatchObject({
      differences,
      skipped: [{ from: 5, to: snapshotOf(run).seq - 1 }],
    });
  });

  test("of a gap that counts none, none are: what follows is compared; unless what was before could not be read", () => {
    const gap = (data: object) => {
      const run = recorded();
      run.feed({ type: "log.gap", subject: "log", data: { count: 0, reason: "full", ...data } });
      run.feed({ type: "state.snapshot", subject: "log", data: toSnapshot(run.state) }, pod(4), veth(4));
      return replayed(run.records);
    };
    expect(gap({})).toMatchObject({ differences: [], skipped: [], snapshots: 2, intents: 5 });
    expect(gap({ unread: true })).toMatchObject({ differences: [], skipped: [{ from: 18, to: 18 }], snapshots: 1 });
  });

  test("at the end, where the log is known to go on", () => {
    const { records } = recorded();
    expect(verified(records.slice(0, -1)).differences[0]).toMatchObject({ kind: "intents", seq: records.length });
    expect(verified(records.slice(0, -2)).differences).toEqual([]);
    expect(verified(records.slice(0, -2), records.length).differences).toEqual([
      { kind: "missing", seq: records.length - 1, recorded: [], decided: [] },
    ]);
  });
});

describe("what differs", () => {
  test("an intent that was recorded and is not decided, and one the other way round", () => {
    const { records } = recorded();
    const first = records.find(isIntent) as Intent;
    const without = renumbered(records.filter((record) => record !== first));
    expect(replayed(without).differences[0]).toMatchObject({
      kind: "intents",
      seq: first.seq,
      cause: { seq: first.data.cause },
      recorded: [],
      decided: [canonicalJson(first)],
    });
    const extra = records.map((record) => (record.seq === 4 ? { ...first, seq: 4 } : record));
    expect(replayed(extra).differences[0]).toMatchObject({
      seq: 4,
      cause: { seq: 3 },
      recorded: [expect.any(String)],
      decided: [],
    });
    expect(replayed([{ ...first, seq: 1 }]).differences[0]).toMatchObject({ seq: 1, decided: [] });
  });

  test("an intent behind a snapshot, which decides nothing", () => {
    const { records } = recorded();
    const at = records.findIndex(({ type }) => type === "state.snapshot");
    const intent = records.find(isIntent) as Intent;
    const forged = renumbered([...records.slice(0, at + 1), intent, ...records.slice(at + 1)]);
    expect(verified(forged).differences).toMatchObject([{ kind: "intents", seq: at + 2, decided: [] }]);
  });

  test("any byte of an intent, whatever it would be read as", () => {
    const { records } = recorded();
    const rows = records.map(rowOf);
    const at = records.findIndex(isIntent);
    const { line, ...row } = rows[at] as (typeof rows)[number];
    for (let index = 0; index < line.length; index++) {
      const flipped = `${line.slice(0, index)}${String.fromCharCode(line.charCodeAt(index) ^ 1)}${line.slice(index + 1)}`;
      expect(verify(rows.with(at, { ...row, line: flipped })).differences[0]?.seq).toBe(row.record.seq);
    }
  });

  test("a snapshot that is not the state", () => {
    const run = recorded();
    const forged = run.records.map((record) =>
      record.type === "state.snapshot"
        ? { ...record, data: { ...record.data, hostAddresses: ["198.18.0.9"] } }
        : record,
    );
    const { differences, state } = replayed(forged);
    expect(differences).toMatchObject([{ kind: "snapshot", seq: snapshotOf(run).seq }]);
    // The recorded one is not used.
    expect(state.hostAddresses).toEqual([]);
  });

  test("is told once: replay goes on with what is decided today, and outcomes follow", () => {
    const run = recorded();
    const changed = run.records.map((record) =>
      isIntent(record) && record.subject === workload(1) && record.data.action === "apply"
        ? { ...record, data: { ...record.data, spec: { ...record.data.spec, enrolExisting: "reset" as const } } }
        : record,
    );
    const { differences, state } = replayed(changed);
    expect(differences.map(({ kind, seq }) => `${kind} ${seq}`)).toEqual(["intents 6"]);
    expect(toSnapshot(state)).toEqual(toSnapshot(run.state));
  });

  test("verifying ends at the first", () => {
    const { records } = recorded();
    const holed = records.filter(({ type }) => type !== "namespace.observed");
    expect(verified(holed)).toMatchObject({ events: 3, differences: [{ seq: 3 }] });
  });
});

describe("today's run of a log that was decided otherwise", () => {
  /** Recorded by an agent that knew nothing of the second pod's namespace: one intent, and its outcome, fewer. */
  function fewer(): EventRecord[] {
    const { records } = recorded();
    const second = records.find((record) => isIntent(record) && record.subject === workload(2)) as Intent;
    const gone = new Set([second.seq]);
    for (const record of records) {
      if (record.type === "redirection.applied" && record.data.generation === second.seq) gone.add(record.seq);
    }
    const kept = records.filter(({ seq, type }) => !gone.has(seq) && type !== "state.snapshot");
    const moved = new Map(kept.map(({ seq }, index) => [seq, index + 1]));
    return renumbered(kept).map((record) => {
      if (isIntent(record))
        return { ...record, data: { ...record.data, cause: moved.get(record.data.cause) as number } };
      if (record.type !== "redirection.applied") return record;
      return { ...record, data: { ...record.data, generation: moved.get(record.data.generation) as number } };
    }) as EventRecord[];
  }

  const today = (records: readonly EventRecord[]) =>
    [...replay(records.map(rowOf))].flatMap((turn) => turn.rows().map(({ record }) => record));

  test("has more intents, and everything behind them has another number", () => {
    const records = fewer();
    expect(verified(records).differences).toHaveLength(1);
    const rows = today(records);
    expect(rows).toHaveLength(records.length + 1);
    expect(verified(rows)).toMatchObject({ differences: [], events: rows.length });
  });

  test("has no outcome of what is not decided any more", () => {
    const { records } = recorded();
    const plain = records.map((record) =>
      record.type === "namespace.observed" ? { ...record, data: { ...record.data, labels: {} } } : record,
    );
    const rows = today(plain);
    expect(rows.map(({ type }) => type)).not.toContain("redirection.applied");
    expect(verified(rows)).toMatchObject({ differences: [], intents: 0, events: rows.length });
  });

  test("goes on behind a gap from what the log has there, with its own numbers", () => {
    const run = new Scenario();
    run.feed(started(), synced, meshNamespace(), pod(1), veth(1));
    run.succeed(workload(1));
    run.feed(pod(2), veth(2));
    run.feed({ type: "log.gap", subject: "log", data: { count: 0, reason: "damaged", unread: true } });
    run.feed({ type: "state.snapshot", subject: "log", data: toSnapshot(run.state) });
    run.succeed(workload(2));
    run.feed(pod(3), veth(3));
    const plain = run.records.map((record) =>
      record.type === "namespace.observed" ? { ...record, data: { ...record.data, labels: {} } } : record,
    );
    const rows = today(plain);
    expect(rows).toHaveLength(plain.length - 3); // two intents and an outcome
    const { state, ...result } = replayed(rows);
    expect(result).toMatchObject({ differences: [], intents: 1, events: rows.length, last: rows.length });
    expect(state.outcomes.get(workload(2))?.state).toBe("applied");
  });

  test("is the recorded one, byte for byte, where nothing differs", () => {
    const rows = recorded().records.map(rowOf);
    expect([...replay(rows)].flatMap((turn) => turn.rows().map(({ line }) => line))).toEqual(
      rows.map(({ line }) => line),
    );
  });
});
