import { describe, expect, test } from "vitest";
import type { EventRecord } from "../events/event.ts";
import { inputs } from "../events/inputs.ts";
import { toSnapshot } from "../state/snapshot.ts";
import { meshNamespace, pod, Scenario, started, synced, veth, workload } from "../testing/scenario.ts";
import { replay } from "./replay.ts";

function recorded(): { run: Scenario; snapshotAt: number } {
  const run = new Scenario();
  run.feed(started(), synced, meshNamespace(), pod(1), veth(1), pod(2), veth(2));
  run.succeed(workload(1), workload(2));
  run.feed({ type: "state.snapshot", subject: "log", data: toSnapshot(run.state) });
  const snapshotAt = run.state.seq;
  run.feed(pod(3), veth(3), inputs.podRemoved("uid-1"));
  return { run, snapshotAt };
}

test("a whole log is decided again", () => {
  const { run } = recorded();
  const { inputs: told, intents, divergences, skipped, state } = replay(run.records);
  expect({ told, intents, divergences, skipped }).toEqual({ told: 13, intents: 4, divergences: [], skipped: [] });
  expect(toSnapshot(state)).toEqual(toSnapshot(run.state));
});

describe("rows that are missing", () => {
  test("make everything up to the next snapshot incomparable, and nothing after it", () => {
    const { run, snapshotAt } = recorded();
    // The namespace is not in this log: what follows cannot be decided again.
    const holed = run.records.filter(({ type }) => type !== "namespace.observed");
    const { intents, divergences, skipped } = replay(holed);
    expect({ intents, divergences, skipped }).toEqual({
      intents: 2,
      divergences: [],
      skipped: [{ from: 4, to: snapshotAt }],
    });
  });

  test("and no snapshot after them: to the end", () => {
    const { run } = recorded();
    const holed = run.records.filter(({ type }) => type !== "namespace.observed" && type !== "state.snapshot");
    expect(replay(holed).skipped).toEqual([{ from: 4, to: undefined }]);
  });
});

test("an intent that was recorded and is not decided, and one the other way round", () => {
  const { run } = recorded();
  const [first] = run.records.filter(
    ({ type }) => type === "redirection.requested",
  ) as EventRecord<"redirection.requested">[];
  const cause = first?.data.cause ?? 0;
  const without = run.records
    .filter((record) => record !== first)
    .map((record, index) => ({ ...record, seq: index + 1 }));
  expect(replay(without as EventRecord[]).divergences[0]).toMatchObject({
    cause,
    recorded: [],
    decided: [expect.any(String)],
  });
  const extra = run.records.map((record) => (record.seq === 4 ? { ...first, seq: 4 } : record)) as EventRecord[];
  expect(replay(extra).divergences[0]).toMatchObject({ cause: 3, recorded: [expect.any(String)], decided: [] });
});

test("after a divergence, replay goes on from what was recorded", () => {
  const { run } = recorded();
  const changed = run.records.map((record) =>
    record.type === "redirection.requested" && record.subject === workload(1) && record.data.action === "apply"
      ? { ...record, data: { ...record.data, spec: { ...record.data.spec, enrolExisting: "reset" as const } } }
      : record,
  );
  expect(replay(changed as EventRecord[]).divergences.map(({ cause }) => cause)).toEqual([5]);
});
