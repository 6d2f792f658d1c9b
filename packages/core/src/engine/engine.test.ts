import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setImmediate as turn } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { canonicalJson } from "../events/canonical-json.ts";
import type { EventInput, EventRecord } from "../events/event.ts";
import { inputs } from "../events/inputs.ts";
import { EventLog } from "../log/event-log.ts";
import { EventLogReader } from "../log/reader.ts";
import { restoreState } from "../log/restore.ts";
import { silentLogger } from "../logger.ts";
import { toSnapshot } from "../state/snapshot.ts";
import { initialState } from "../state/state.ts";
import { testAgent } from "../testing/agent.ts";
import { replayed } from "../testing/replayed.ts";
import {
  interleave,
  meshNamespace,
  plainNamespace,
  pod,
  proxyPod,
  seeded,
  started,
  synced,
  veth,
  vethGone,
} from "../testing/scenario.ts";
import { Engine } from "./engine.ts";

// Threads are started here, which takes its time on a busy machine.
vi.setConfig({ testTimeout: 30_000 });

let directory: string;
let path: string;
let eventLog: EventLog;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "millrace-engine-"));
  path = join(directory, "events.db");
  eventLog = await open();
});

afterEach(async () => {
  await eventLog[Symbol.asyncDispose]();
  // Whatever a test is about, what it logged is decided again.
  expect(replayed(rows()).differences).toEqual([]);
  rmSync(directory, { recursive: true });
});

const openOptions = (appendDeadlineMs: number) => ({
  path,
  appendDeadlineMs,
  keepEvents: 1_000_000,
  retryMs: 20,
  log: silentLogger,
});
const open = (appendDeadlineMs = 2000) => EventLog.open(openOptions(appendDeadlineMs));

function rows(): EventRecord[] {
  using reader = EventLogReader.open(path);
  return [...reader.read()];
}

/** The rows as the file has them, without any decoding in between. */
function rawIntents(): string[] {
  const db = new DatabaseSync(path, { readOnly: true });
  const intents = db.prepare("SELECT data FROM event WHERE type = 'redirection.requested' ORDER BY seq").all();
  db.close();
  return intents.map(({ data }) => data as string);
}

/** A busy quarter of an hour on a node, in some order. */
function day(seed: number): EventInput[] {
  const random = seeded(seed);
  const sources: EventInput[][] = [
    [inputs.hostAddresses(["198.19.0.1"]), inputs.hostAddresses(["198.19.0.1", "198.19.0.9"])],
    [meshNamespace(), plainNamespace(), meshNamespace()],
    [proxyPod(90), proxyPod(90, { terminating: true }), inputs.podRemoved("uid-90")],
    [veth(90), vethGone(90)],
    [proxyPod(91, { ready: false }), proxyPod(91)],
    [veth(91)],
    [synced],
  ];
  for (let index = 1; index <= 12; index++) {
    sources.push([
      pod(index, { addresses: [], ready: false }),
      pod(index),
      ...(index % 3 === 0 ? [inputs.podRemoved(`uid-${index}`)] : []),
    ]);
    sources.push([veth(index), ...(index % 3 === 0 ? [vethGone(index)] : [])]);
  }
  // The same address twice, for a while.
  sources.push([veth(20, { addresses: pod(1).data.addresses }), vethGone(20)]);
  return interleave(sources, random);
}

test("the oldest input that waits is seen to wait, and nothing once all are in the state", async () => {
  const held = Promise.withResolvers<void>();
  const slow = {
    append: () => held.promise.then(() => "logged" as const),
    gap: () => undefined,
    onWritable: () => undefined,
    lastSeq: 0,
  };
  const engine = new Engine({ eventLog: slow, state: initialState, log: silentLogger });
  expect(engine.oldestWaitMs).toBe(0);
  const first = engine.submit(started());
  await vi.waitFor(() => expect(engine.oldestWaitMs).toBeGreaterThan(30));
  const second = engine.submit(meshNamespace("shop"));
  expect(engine.oldestWaitMs).toBeGreaterThan(30);
  held.resolve();
  await Promise.all([first, second]);
  await engine.settled();
  expect(engine.oldestWaitMs).toBe(0);
});

describe("a run and its replay", () => {
  test.each([1, 2, 3])(
    "intents are decided again, byte for byte, failures and retries included (seed %i)",
    async (seed) => {
      const agent = testAgent({ eventLog });
      const random = seeded(seed);
      const busy = Object.assign(new Error("busy"), { code: "EBUSY" });
      agent.redirection.before.set("apply", () => {
        if (random() < 0.3) throw busy;
      });
      agent.engine.submit(started());
      for (const input of day(seed)) {
        agent.engine.submit(input);
        if (random() < 0.3) await new Promise((resolve) => setImmediate(resolve));
        if (random() < 0.05) await agent.reconciler.observe();
      }
      const allTried = () => vi.waitFor(() => expect(agent.queue.status().backingOff).toEqual([]), 10_000);
      await agent.idle();
      await allTried();
      // Whether one of those was tried again, or asked for once more before that, is chance; this one is.
      const failures = [busy];
      agent.redirection.before.set("apply", () => {
        for (const failure of failures.splice(0)) throw failure;
      });
      for (const input of [pod(21), veth(21)]) agent.engine.submit(input);
      await agent.idle();
      await allTried();
      await agent.idle();
      await agent.queue.close();
      await agent.engine.settled();

      const recorded = rows();
      expect(recorded.map(({ seq }) => seq)).toEqual(recorded.map((_, index) => index + 1));
      const types = new Set(recorded.map(({ type }) => type));
      expect([...types]).toEqual(
        expect.arrayContaining(["redirection.failed", "retry.due", "redirection.applied", "redirection.removed"]),
      );
      const result = replayed(recorded);
      expect(result.differences).toEqual([]);
      expect(result.skipped).toEqual([]);
      expect(result.intents).toBe(rawIntents().length);
      expect(result.intents).toBeGreaterThan(15);
      expect(canonicalJson(toSnapshot(result.state))).toBe(canonicalJson(toSnapshot(agent.engine.state)));
      expect(canonicalJson(toSnapshot(restoreState(path)))).toBe(canonicalJson(toSnapshot(agent.engine.state)));
      // Bytes, not values: what replay compares is what the file has.
      const again = recorded.flatMap((record) =>
        record.type === "redirection.requested" ? [canonicalJson(record.data)] : [],
      );
      expect(again).toEqual(rawIntents());

      // And in the end everything is as it is wanted.
      const wanted = agent.engine.state.requested.filter(({ action }) => action === "apply");
      expect([...agent.redirection.workloads.keys()].map((uid) => `workload/${uid}`).sort()).toEqual(
        [...wanted.keys()].sort(),
      );
    },
  );

  test("every intent stands directly behind its cause", async () => {
    const agent = testAgent({ eventLog });
    for (const input of [started(), ...day(7)]) agent.engine.submit(input);
    await agent.idle();
    let cause = 0;
    for (const record of rows()) {
      if (record.type === "redirection.requested") expect(record.data.cause).toBe(cause);
      else cause = record.seq;
    }
  });

  test("snapshots in between change nothing, and restoring begins at the last one", async () => {
    const agent = testAgent({ eventLog, snapshotEvery: 10 });
    for (const input of [started(), ...day(5)]) {
      agent.engine.submit(input);
      await agent.engine.settled();
    }
    await agent.idle();
    const recorded = rows();
    expect(recorded.filter(({ type }) => type === "state.snapshot").length).toBeGreaterThan(3);
    expect(replayed(recorded)).toMatchObject({ differences: [], skipped: [] });
    expect(canonicalJson(toSnapshot(restoreState(path)))).toBe(canonicalJson(toSnapshot(agent.engine.state)));
    // A log whose beginning was pruned starts with a snapshot.
    const second = recorded.findIndex(({ type }) => type === "state.snapshot");
    expect(replayed(recorded.slice(second))).toMatchObject({ differences: [], skipped: [] });
  });

  test("a changed decision is found, with both sides", () => {
    const agent = testAgent();
    const recorded: EventRecord[] = [];
    agent.engine.records$.subscribe((record) => recorded.push(record));
    return Promise.all(
      [started(), meshNamespace(), pod(1), veth(1), pod(2)].map((input) => agent.engine.submit(input)),
    ).then(() => {
      const forged = recorded.map((record) =>
        record.type === "redirection.requested" ? { ...record, subject: "workload/uid-9" } : record,
      ) as EventRecord[];
      const { differences, intents } = replayed(forged);
      expect(intents).toBe(0);
      expect(differences).toMatchObject([{ seq: 5, cause: { seq: 4 }, recorded: [expect.stringContaining("uid-9")] }]);
      expect(differences[0]?.decided[0]).toContain("workload/uid-1");
    });
  });
});

describe("a log that loses rows", () => {
  test("does not hold up redirection; rows are written late, a gap that counts none and a snapshot follow, and all of it replays", async () => {
    await eventLog[Symbol.asyncDispose]();
    eventLog = await open(300);
    const agent = testAgent({ eventLog });
    await Promise.all([started(), meshNamespace(), pod(1), veth(1)].map((input) => agent.engine.submit(input)));
    await agent.idle();
    await vi.waitFor(() => expect(eventLog.lastSeq).toBe(agent.engine.state.seq), 10_000);
    const lock = new DatabaseSync(path);
    lock.exec("BEGIN IMMEDIATE");
    await Promise.all([pod(2), veth(2)].map((input) => agent.engine.submit(input)));
    await agent.idle();
    expect(agent.redirection.calls).toEqual(["apply uid-1", "apply uid-2"]);
    await vi.waitFor(() => expect(eventLog.status().state).toBe("failing"), 10_000);
    await agent.engine.submit(pod(3));
    lock.exec("ROLLBACK");
    lock.close();
    // Nobody has to submit anything for the log to say what it lost.
    await vi.waitFor(() => expect(rows().at(-1)?.type).toBe("state.snapshot"), 10_000);
    await agent.engine.submit(veth(3));
    await agent.idle();

    const recorded = rows();
    const gap = recorded.findIndex(({ type }) => type === "log.gap");
    const before = recorded[gap - 1]?.seq ?? 0;
    expect(recorded[gap]).toMatchObject({ seq: before + 1 + (recorded[gap] as EventRecord<"log.gap">).data.count });
    expect(recorded[gap + 1]?.type).toBe("state.snapshot");
    const result = replayed(recorded);
    expect(result.differences).toEqual([]);
    // What tells of the gap may itself have come too early, and have been held: then it is told again.
    const snapshots = recorded.filter(({ type }) => type === "state.snapshot").length;
    expect(result).toMatchObject({ skipped: [], snapshots, intents: 3 });
    expect(canonicalJson(toSnapshot(result.state))).toBe(canonicalJson(toSnapshot(agent.engine.state)));
  });

  test("for which there was no room either: the gap counts them, and replay goes on at the snapshot behind it", async () => {
    await eventLog[Symbol.asyncDispose]();
    eventLog = await EventLog.open({ ...openOptions(300), maxWaitingRows: 3 });
    const agent = testAgent({ eventLog });
    await Promise.all([started(), meshNamespace(), pod(1), veth(1)].map((input) => agent.engine.submit(input)));
    await agent.idle();
    await vi.waitFor(() => expect(eventLog.lastSeq).toBe(agent.engine.state.seq), 10_000);
    const lock = new DatabaseSync(path);
    lock.exec("BEGIN IMMEDIATE");
    for (const input of [pod(2), veth(2), pod(3), veth(3)]) await agent.engine.submit(input);
    await agent.idle();
    expect(agent.redirection.calls).toEqual(["apply uid-1", "apply uid-2", "apply uid-3"]);
    lock.exec("ROLLBACK");
    lock.close();
    await vi.waitFor(() => expect(rows().at(-1)?.type).toBe("state.snapshot"), 10_000);
    await agent.engine.submit(pod(4));
    const recorded = rows();
    const gap = recorded.find((record) => record.type === "log.gap" && record.data.count > 0) as EventRecord;
    const { state, ...result } = replayed(recorded);
    expect(result).toMatchObject({ differences: [], skipped: [{ from: gap.seq, to: gap.seq }] });
    expect(canonicalJson(toSnapshot(state))).toBe(canonicalJson(toSnapshot(agent.engine.state)));
  });

  test("an agent without any log works", async () => {
    const agent = testAgent();
    await Promise.all([started(), meshNamespace(), pod(1), veth(1)].map((input) => agent.engine.submit(input)));
    await agent.idle();
    expect(agent.redirection.calls).toEqual(["apply uid-1"]);
  });
});

describe("what is submitted", () => {
  test("an intent is released only when its row is durable, and after the state that has it", async () => {
    const durable: number[] = [];
    const slow: Pick<EventLog, "append" | "gap" | "onWritable" | "lastSeq"> = {
      lastSeq: 0,
      gap: () => undefined,
      onWritable: () => {},
      append: async (records) => {
        await new Promise((resolve) => setTimeout(resolve, 20));
        durable.push(...records.map(({ seq }) => seq));
        return "logged";
      },
    };
    const { engine } = testAgent({ eventLog: slow });
    const released: boolean[] = [];
    engine.intents$.subscribe(({ seq, subject }) => {
      released.push(durable.includes(seq) && engine.state.requested.get(subject)?.seq === seq);
    });
    await Promise.all([started(), meshNamespace(), pod(1), veth(1)].map((input) => engine.submit(input)));
    expect(released).toEqual([true]);
  });

  test("inputs of one turn share a transaction", async () => {
    const batches: number[] = [];
    const counting: Pick<EventLog, "append" | "gap" | "onWritable" | "lastSeq"> = {
      lastSeq: 41,
      gap: () => undefined,
      onWritable: () => {},
      append: (records) => {
        batches.push(records.length);
        return Promise.resolve("logged");
      },
    };
    const { engine } = testAgent({ eventLog: counting, maxBatch: 3 });
    await Promise.all([started(), meshNamespace(), pod(1), pod(2), pod(3)].map((input) => engine.submit(input)));
    expect(batches).toEqual([3, 2]);
    expect(engine.state.seq).toBe(46);
  });

  test("what is no news is no event", async () => {
    const { engine, idle } = testAgent({ eventLog });
    const told = [started(), synced, meshNamespace(), inputs.hostAddresses(["198.19.0.1"]), pod(1), veth(1)];
    await Promise.all(told.map((input) => engine.submit(input)));
    await idle();
    const { seq } = engine.state;
    const again = [...told.slice(1), inputs.podRemoved("uid-7"), vethGone(7), inputs.namespaceRemoved("none")];
    const elsewhere = inputs.nodeObserved({ name: "n2", addresses: ["198.18.5.5"] });
    await Promise.all([...again, elsewhere].map((input) => engine.submit(input)));
    expect(engine.state.seq).toBe(seq);
    await engine.submit(inputs.hostAddresses(["198.19.0.2"]));
    await idle();
    // The addresses, the intent and its outcome.
    expect(engine.state.seq).toBe(seq + 3);
  });

  test("an input that is none is refused and logged, and nothing else suffers; ignoring the promise is safe", async () => {
    const refused = vi.fn();
    const { engine } = testAgent({ log: { ...silentLogger, error: refused } });
    const bad = { ...pod(1), data: { uid: "uid-1" } } as unknown as EventInput;
    engine.submit(started());
    void engine.submit(bad);
    await expect(engine.submit(bad)).rejects.toMatchObject({ code: "ERR_EVENT_INVALID" });
    await engine.submit(meshNamespace());
    expect(engine.state.namespaces.size).toBe(1);
    expect(refused).toHaveBeenCalledWith(
      expect.objectContaining({ type: "pod.observed", subject: "pod/uid-1" }),
      "input refused",
    );
  });
});

describe("a log that takes its time", () => {
  /** Writes only when told to, so that what happens meanwhile is seen. */
  function slowLog() {
    const waiting: (() => void)[] = [];
    const appended: string[][] = [];
    return {
      appended,
      write: () => waiting.shift()?.(),
      log: {
        append: (records: readonly EventRecord[]) => {
          appended.push(records.map(({ type }) => type));
          return new Promise<"logged">((resolve) => waiting.push(() => resolve("logged")));
        },
        gap: () => undefined,
        onWritable: () => {},
        lastSeq: 0,
      },
    };
  }

  test("is given the next batch while it writes one, and both are published in order, when they are written", async () => {
    const { log, write, appended } = slowLog();
    const engine = new Engine({ eventLog: log, state: initialState, log: silentLogger });
    const published: string[] = [];
    engine.records$.subscribe(({ type }) => published.push(type));
    const first = engine.submit(meshNamespace());
    await turn();
    const second = engine.submit(plainNamespace());
    await turn();
    expect(appended).toEqual([["namespace.observed"], ["namespace.observed"]]);
    expect(published).toEqual([]);
    expect(engine.state.namespaces.size).toBe(0);
    write();
    await first;
    expect(engine.state.namespaces.size).toBe(1);
    write();
    await second;
    expect(published).toEqual(["namespace.observed", "namespace.observed"]);
  });

  test("is not given more than so many batches: what comes then shares the next", async () => {
    const { log, write, appended } = slowLog();
    const engine = new Engine({ eventLog: log, state: initialState, log: silentLogger, maxWriting: 2 });
    for (let n = 1; n <= 4; n++) {
      void engine.submit(pod(n));
      await turn();
    }
    expect(appended).toHaveLength(2);
    const settled = engine.settled();
    write();
    await turn();
    expect(appended.map((types) => types.filter((type) => type === "pod.observed").length)).toEqual([1, 1, 2]);
    write();
    write();
    await settled;
    expect(engine.state.pods.size).toBe(4);
  });

  test("does not keep from whom waits for it that a pod is none of ours", async () => {
    const { log } = slowLog();
    const engine = new Engine({ eventLog: log, state: initialState, log: silentLogger });
    void engine.submit(plainNamespace());
    void engine.submit(pod(1));
    const enrolment = await engine.enrolment("uid-1", AbortSignal.timeout(5_000));
    expect(enrolment.kind).toBe("not-member");
    expect(engine.state.pods.size).toBe(0);
  });
});

describe("waiting for an enrolment", () => {
  const soon = () => AbortSignal.timeout(80);

  test("applied, also when it was submitted in the same breath", async () => {
    const { engine } = testAgent({ eventLog });
    engine.submit(started());
    engine.submit(meshNamespace());
    engine.submit(pod(1));
    engine.submit(veth(1));
    expect(await engine.enrolment("uid-1", AbortSignal.timeout(10_000))).toEqual({ kind: "applied" });
  });

  test("the old sandbox's redirection is not mistaken for the new one's", async () => {
    const agent = testAgent();
    for (const input of [started(), meshNamespace(), pod(1), veth(1)]) agent.engine.submit(input);
    await agent.idle();
    agent.redirection.before.set("apply", () => new Promise((resolve) => setTimeout(resolve, 30)));
    agent.engine.submit(veth(1, { containerId: "container-1b", netnsInode: 2001 }));
    await agent.engine.enrolment("uid-1", AbortSignal.timeout(10_000));
    expect(agent.redirection.workloads.get("uid-1")?.interface.netnsInode).toBe(2001);
  });

  test("no member: at once, with the reason", async () => {
    const { engine } = testAgent();
    for (const input of [started(), plainNamespace(), veth(1)]) engine.submit(input);
    expect(await engine.enrolment("uid-1", AbortSignal.timeout(10_000))).toEqual({
      kind: "not-member",
      reason: "namespace shop has no label istio.io/dataplane-mode=ambient",
    });
  });

  test("a failure that goes away is none", async () => {
    const agent = testAgent();
    let tries = 0;
    agent.redirection.before.set("apply", () => {
      if (++tries < 3) throw new Error("not yet");
    });
    for (const input of [started(), meshNamespace(), pod(1), veth(1)]) agent.engine.submit(input);
    expect(await agent.engine.enrolment("uid-1", AbortSignal.timeout(10_000))).toEqual({ kind: "applied" });
    expect(tries).toBe(3);
  });

  test("a failure that stays is told at the deadline, a pod that nobody knows as well", async () => {
    const agent = testAgent({ queue: { backoff: { baseMs: 1000, capMs: 1000 } } });
    agent.redirection.before.set("apply", () => {
      throw Object.assign(new Error("no such device"), { code: "ENODEV" });
    });
    for (const input of [started(), meshNamespace(), pod(1), veth(1)]) agent.engine.submit(input);
    expect(await agent.engine.enrolment("uid-1", soon())).toEqual({
      kind: "failed",
      error: { code: "ENODEV", message: "no such device" },
      attempts: 1,
    });
    expect(await agent.engine.enrolment("uid-2", soon())).toEqual({
      kind: "deadline",
      reason: "the pod has not been seen",
    });
    await agent.engine.submit(pod(3));
    expect(await agent.engine.enrolment("uid-3", soon())).toEqual({ kind: "deadline", reason: "no interface" });
    await agent.queue.close();
  });
});
