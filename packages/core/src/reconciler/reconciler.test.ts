import { describe, expect, test, vi } from "vitest";
import type { EventInput, EventRecord } from "../events/event.ts";
import { inputs } from "../events/inputs.ts";
import { subjects } from "../events/subjects.ts";
import { silentLogger } from "../logger.ts";
import { type TestAgent, testAgent } from "../testing/agent.ts";
import { FakeRedirection } from "../testing/fake-redirection.ts";
import {
  meshNamespace,
  plainNamespace,
  pod,
  proxyPod,
  started,
  synced,
  veth,
  vethGone,
  workload,
} from "../testing/scenario.ts";
import type { Readings } from "./readings.ts";
import { ResyncLoop } from "./resync-loop.ts";

vi.setConfig({ testTimeout: 30_000 });

/** Polls for as long as a busy machine may need. */
const waitFor = (check: () => void) => vi.waitFor(check, 10_000);

async function agent(options: Parameters<typeof testAgent>[0] = {}, ...given: EventInput[]) {
  const made = testAgent(options);
  const records: EventRecord[] = [];
  made.engine.records$.subscribe((record) => records.push(record));
  for (const input of [started(), synced, meshNamespace(), ...given]) made.engine.submit(input);
  await made.idle();
  const types = (subject: string) => records.filter((record) => record.subject === subject).map(({ type }) => type);
  return { ...made, records, types };
}

async function observe({ reconciler, idle }: TestAgent): Promise<void> {
  await reconciler.observe();
  await idle();
}

/** What it takes for one redirected workload. */
const everything = [proxyPod(9), veth(9), inputs.hostAddresses(["198.19.0.1"]), pod(1), veth(1)];

describe("an intent", () => {
  test("becomes a call of the backend and an outcome", async () => {
    const { redirection, engine, records, types } = await agent(
      {},
      proxyPod(9),
      veth(9),
      inputs.hostAddresses(["198.19.0.1"]),
      pod(1),
      veth(1),
    );
    expect(redirection.calls).toEqual(["useProxies ztunnel-9", "useNode 198.19.0.1", "apply uid-1"]);
    expect(redirection.proxies.active?.name).toBe("ztunnel-9");
    const requested = engine.state.requested.get(workload(1));
    expect(types(workload(1))).toEqual(["redirection.requested", "redirection.applied"]);
    expect(
      records.find(({ type, subject }) => type === "redirection.applied" && subject === workload(1))?.data,
    ).toEqual({
      action: "apply",
      generation: requested?.seq,
      attempt: 1,
      durationMs: expect.any(Number),
    });
  });

  test("that fails is told with the backend's code and tried again until it succeeds", async () => {
    const redirection = new FakeRedirection();
    let left = 2;
    redirection.before.set("apply", () => {
      if (left-- > 0) throw Object.assign(new Error("device or resource busy"), { code: "EBUSY" });
    });
    const { types, records } = await agent({ redirection }, pod(1), veth(1));
    await waitFor(() => expect(types(workload(1)).at(-1)).toBe("redirection.applied"));
    expect(types(workload(1))).toEqual([
      ...["redirection.requested", "redirection.failed", "retry.due"],
      ...["redirection.requested", "redirection.failed", "retry.due"],
      ...["redirection.requested", "redirection.applied"],
    ]);
    const failures = records.filter((record) => record.type === "redirection.failed");
    expect(failures.map(({ data }) => [data.attempt, data.error])).toEqual([
      [1, { code: "EBUSY", message: "device or resource busy" }],
      [2, { code: "EBUSY", message: "device or resource busy" }],
    ]);
  });

  test("that is replaced while it is being done is followed by the newer one, with the newest wish only", async () => {
    const redirection = new FakeRedirection();
    const gate = Promise.withResolvers<void>();
    redirection.before.set("apply", () => gate.promise);
    const made = testAgent({ redirection });
    for (const input of [started(), synced, meshNamespace(), pod(1), veth(1)]) made.engine.submit(input);
    await waitFor(() => expect(redirection.calls).toEqual(["apply uid-1"]));
    for (const last of [77, 78, 79]) await made.engine.submit(pod(1, { addresses: [`198.18.1.${last}`] }));
    gate.resolve();
    await made.idle();
    expect(redirection.calls).toEqual(["apply uid-1", "apply uid-1"]);
    expect(redirection.workloads.get("uid-1")?.addresses).toContain("198.18.1.79");
    expect(made.engine.state.outcomes.get(workload(1))?.state).toBe("applied");
  });

  test("that outlives its deadline fails; the second try waits for the first to end", async () => {
    const redirection = new FakeRedirection();
    const gate = Promise.withResolvers<void>();
    let running = 0;
    let most = 0;
    redirection.before.set("apply", async () => {
      most = Math.max(most, ++running);
      await gate.promise;
      running--;
    });
    const { engine, records } = await (async () => {
      const made = testAgent({ redirection, deadlineMs: 30 });
      const seen: EventRecord[] = [];
      made.engine.records$.subscribe((record) => seen.push(record));
      for (const input of [started(), synced, meshNamespace(), pod(1), veth(1)]) made.engine.submit(input);
      return { ...made, records: seen };
    })();
    await waitFor(() => expect(records.filter(({ type }) => type === "redirection.failed").length).toBeGreaterThan(2));
    expect(records.find((record) => record.type === "redirection.failed")?.data).toMatchObject({
      error: { code: "ERR_DEADLINE", message: "apply of workload/uid-1 did not finish within 30 ms" },
    });
    gate.resolve();
    await waitFor(() => expect(engine.state.outcomes.get(workload(1))?.state).toBe("applied"));
    expect(most).toBe(1);
  });

  test("whose subject is gone by the time it comes up is not done", async () => {
    const { reconciler, redirection } = await agent();
    await reconciler.reconcile(workload(7), 1);
    expect(redirection.calls).toEqual([]);
  });
});

describe("drift", () => {
  test("none: an observation of what was applied says nothing, however often", async () => {
    const made = await agent({}, ...everything);
    const { seq } = made.engine.state;
    for (let i = 0; i < 3; i++) await observe(made);
    expect(made.engine.state.seq).toBe(seq);
  });

  test.each<[string, string, (redirection: FakeRedirection) => void, string]>([
    ["a redirection is missing", workload(1), ({ workloads }) => workloads.delete("uid-1"), "redirection is missing"],
    [
      "an address is missing",
      workload(1),
      ({ workloads }) => {
        const known = workloads.get("uid-1");
        if (known !== undefined) workloads.set("uid-1", { ...known, addresses: ["198.18.1.11"] });
      },
      "addresses are 198.18.1.11 instead of 198.18.1.11, 2001:2:0:1::b",
    ],
    [
      "it is on another interface",
      workload(1),
      ({ workloads }) => {
        const known = workloads.get("uid-1");
        if (known !== undefined) workloads.set("uid-1", { ...known, interface: { ...known.interface, hostIndex: 7 } });
      },
      "redirection is on interface 7 instead of 101",
    ],
    [
      "the proxy is missing",
      "proxies",
      (redirection) => (redirection.proxies = { draining: [] }),
      "active proxy uid-9/1009/198.18.1.19,2001:2:0:1::13 is missing",
    ],
    [
      "the proxy has the wrong role",
      "proxies",
      (redirection) => {
        const { active } = redirection.proxies;
        if (active !== undefined) redirection.proxies = { draining: [active] };
      },
      "proxy uid-9/1009/198.18.1.19,2001:2:0:1::13 is draining instead of active",
    ],
    [
      "node addresses are missing",
      "node",
      (redirection) => (redirection.node = { addresses: [] }),
      "node addresses are none instead of 198.19.0.1",
    ],
  ])("%s: found, asked for again, mended and told so", async (_, subject, damage, problem) => {
    const made = await agent({}, ...everything);
    const { redirection, records } = made;
    damage(redirection);
    const before = records.length;
    await observe(made);
    await waitFor(() => expect(records.at(-1)?.type).toBe("drift.mended"));
    expect(records.slice(before).map((record) => [record.type, record.subject])).toEqual([
      ["drift.found", subject],
      ["redirection.requested", subject],
      ["redirection.applied", subject],
      ["drift.mended", subject],
    ]);
    expect(records[before]?.data).toEqual({ problems: [problem] });
    expect(made.engine.state.drift.size).toBe(0);
    expect(redirection.workloads.get("uid-1")?.addresses).toHaveLength(2);
    expect(redirection.proxies.active?.name).toBe("ztunnel-9");
    expect(redirection.node.addresses).toEqual(["198.19.0.1"]);
  });

  test("that cannot be mended is tried once for each look, not in a circle", async () => {
    const made = await agent({}, ...everything);
    made.redirection.problems.set("uid-1", ["ingress filter is missing"]);
    for (let look = 1; look <= 3; look++) {
      await observe(made);
      await made.idle();
      expect(made.types(workload(1)).filter((type) => type === "drift.found")).toHaveLength(look);
    }
    expect(made.types(workload(1))).not.toContain("drift.mended");
    expect(made.engine.state.drift.get(workload(1))).toEqual(["ingress filter is missing"]);
    made.redirection.problems.clear();
    await observe(made);
    expect(made.types(workload(1)).at(-1)).toBe("drift.mended");
  });

  test("that cannot be mended is not tried again because of what was done, but what is new is", async () => {
    const made = await agent({}, ...everything, pod(2), veth(2));
    made.redirection.problems.set("uid-1", ["ingress filter is missing"]);
    const found = () => made.records.flatMap(({ type, subject }) => (type === "drift.found" ? [subject] : []));
    for (let look = 1; look <= 3; look++) {
      await made.reconciler.observe("new");
      await made.idle();
      expect(found()).toEqual([workload(1)]);
    }
    made.redirection.workloads.delete("uid-2");
    await made.reconciler.observe("new");
    await made.idle();
    expect(found()).toEqual([workload(1), workload(2)]);
    made.redirection.problems.clear();
    await made.reconciler.observe("new");
    await made.idle();
    expect(made.types(workload(1)).at(-1)).toBe("drift.mended");
  });

  test("of what all members share is found and mended before there is any proxy", async () => {
    const made = await agent({}, inputs.hostAddresses(["198.19.0.1"]), pod(1), veth(1));
    expect(made.types(subjects.proxies)).toEqual([]);
    made.redirection.shared = ["the guard in table mangle is missing"];
    await observe(made);
    expect(made.redirection.calls).toContain("useProxies none");
    await observe(made);
    expect(made.types(subjects.proxies)).toEqual([
      "drift.found",
      "redirection.requested",
      "redirection.applied",
      "drift.mended",
    ]);
  });

  test("what is under way is not looked at", async () => {
    const made = await agent({ queue: { backoff: { baseMs: 10_000, capMs: 10_000 } } }, ...everything);
    made.redirection.before.set("apply", () => {
      throw new Error("no");
    });
    await made.engine.submit(pod(2));
    await made.engine.submit(veth(2));
    await made.idle();
    await observe(made);
    expect(made.types(workload(2))).toEqual(["redirection.requested", "redirection.failed"]);
    await made.queue.close();
  });

  test("an observation that is older than an outcome says nothing about it", async () => {
    const made = await agent({}, ...everything);
    const gate = Promise.withResolvers<void>();
    made.redirection.before.set("observe", () => gate.promise);
    // The fake looks after the gate, so the pod's absence at the start stands for a slow look at the kernel.
    const looking = made.reconciler.observe();
    await made.engine.submit(plainNamespace());
    await made.engine.submit(meshNamespace());
    await made.idle();
    made.redirection.workloads.delete("uid-1");
    gate.resolve();
    await looking;
    expect(made.types(workload(1))).not.toContain("drift.found");
  });
});

/** Takes down what readings were of, and what they found or failed with. */
function recorded() {
  const told: [of: string, how: unknown][] = [];
  const reading = (of: string) => ({
    ended: (found: unknown) => void told.push([of, found]),
    failed: (error: unknown) => void told.push([of, error]),
  });
  const readings: Readings = {
    begin: () => reading("everything"),
    beginWorkloads: (_, uids) => reading([...uids].join(" ")),
  };
  return { readings, told };
}

test("a reading is told of when it begins, with what is known then, and how it ended", async () => {
  const { readings, told } = recorded();
  const begun: number[] = [];
  const redirection = new FakeRedirection();
  const made = await agent(
    {
      redirection,
      readings: {
        ...readings,
        begin: (state) => {
          begun.push(state.seq);
          return readings.begin(state);
        },
      },
    },
    ...everything,
  );
  const { seq } = made.engine.state;
  let looks = 0;
  redirection.before.set("observe", async () => {
    await made.engine.submit(inputs.hostAddresses([`198.19.0.${++looks}`]));
    if (looks === 2) throw new Error("no netlink");
  });
  await made.reconciler.observe();
  await expect(made.reconciler.observe()).rejects.toThrow("no netlink");
  expect(told).toEqual([
    ["everything", expect.objectContaining({ problems: [] })],
    ["everything", new Error("no netlink")],
  ]);
  expect(begun[0]).toBe(seq);
});

describe("looking at some workloads alone", () => {
  const look = (made: TestAgent, ...numbers: number[]) =>
    made.reconciler.observeWorkloads(new Set(numbers.map((number) => `uid-${number}`)));

  test("reads no others, tells drift of these, and that it is mended", async () => {
    const { readings, told } = recorded();
    const made = await agent({ readings }, ...everything, pod(2), veth(2));
    made.redirection.problems.set("uid-1", ["app_inbound is not attached"]);
    made.redirection.workloads.delete("uid-2");
    expect(await look(made, 1)).toBe(true);
    expect(told).toMatchObject([["uid-1", [{ uid: "uid-1", state: "partial" }]]]);
    expect(made.redirection.calls).toContain("observeWorkloads uid-1");
    expect(made.types(workload(1))).toContain("drift.found");
    expect(made.types(workload(2))).not.toContain("drift.found");
    // Told once: it is done again, and that this did not help is for the next comparison of everything to say.
    await made.idle();
    await look(made, 1);
    expect(made.types(workload(1)).filter((type) => type === "drift.found")).toHaveLength(1);

    made.redirection.problems.clear();
    await made.idle();
    await look(made, 1, 2);
    expect(made.types(workload(1)).filter((type) => type === "drift.mended")).toHaveLength(1);
    expect(made.types(workload(2))).toContain("drift.found");
  });

  test("says nothing of what was asked for meanwhile", async () => {
    const made = await agent({}, ...everything);
    const gate = Promise.withResolvers<void>();
    made.redirection.before.set("observe", () => gate.promise);
    const looking = look(made, 1);
    await made.engine.submit(plainNamespace());
    await made.engine.submit(meshNamespace());
    await made.idle();
    made.redirection.workloads.delete("uid-1");
    gate.resolve();
    await looking;
    expect(made.types(workload(1))).not.toContain("drift.found");
  });

  test("is nothing that every backend can do", async () => {
    const redirection = Object.assign(new FakeRedirection(), { observeWorkloads: undefined });
    const made = await agent({ redirection: redirection as never }, ...everything);
    expect(await look(made, 1)).toBe(false);
  });
});

describe("looking while somebody looks already", () => {
  /** The first look waits at the gate. */
  async function waiting() {
    const made = await agent({}, ...everything);
    const gate = Promise.withResolvers<void>();
    let looks = 0;
    made.redirection.before.set("observe", () => (++looks === 1 ? gate.promise : undefined));
    return { observe: () => made.reconciler.observe(), gate, looks: () => looks };
  }

  test("gets a look of its own that begins afterwards, one for all who ask meanwhile", async () => {
    const { observe, gate, looks } = await waiting();
    const all = [observe(), observe(), observe()];
    expect(looks()).toBe(1);
    gate.resolve();
    await Promise.all(all);
    expect(looks()).toBe(2);
  });

  test("happens although the look before failed", async () => {
    const { observe, gate, looks } = await waiting();
    const [first, second] = [observe(), observe()];
    gate.reject(new Error("no netlink"));
    await expect(first).rejects.toThrow("no netlink");
    await second;
    expect(looks()).toBe(2);
  });
});

describe("what an earlier run left", () => {
  async function leftover(...given: EventInput[]) {
    const redirection = new FakeRedirection();
    const first = await agent({ redirection }, pod(1), veth(1));
    expect(first.redirection.workloads.size).toBe(1);
    // The log is lost: the second run knows nothing of the first.
    const second = testAgent({ redirection });
    for (const input of [started(), ...given]) second.engine.submit(input);
    await second.idle();
    await observe(second);
    return { ...second, left: [...redirection.workloads.keys()] };
  }

  test("is removed when its pod is gone or no member", async () => {
    expect((await leftover(synced)).left).toEqual([]);
    expect((await leftover(meshNamespace(), pod(1, { hostNetwork: true }))).left).toEqual(["uid-1"]);
    expect((await leftover(synced, meshNamespace(), pod(1, { hostNetwork: true }))).left).toEqual([]);
  });

  test("stays before everything was listed, and while its pod's interface is not found", async () => {
    expect((await leftover()).left).toEqual(["uid-1"]);
    expect((await leftover(synced, meshNamespace(), pod(1))).left).toEqual(["uid-1"]);
  });

  test("leaves no drift behind once it is removed", async () => {
    const made = await leftover(synced);
    await waitFor(() => expect(made.engine.state.drift.size).toBe(0));
    expect(made.engine.state.requested.size).toBe(0);
  });

  test("of a proxy is let go when there is none any more", async () => {
    const redirection = new FakeRedirection();
    await agent({ redirection }, proxyPod(9), veth(9));
    const made = testAgent({ redirection });
    for (const input of [started(), proxyPod(9), synced]) made.engine.submit(input);
    await made.idle();
    await observe(made);
    // Its pod is there and only its interface is not: nothing is certain.
    expect(redirection.proxies.active?.name).toBe("ztunnel-9");
    await made.engine.submit(inputs.podRemoved("uid-9"));
    await observe(made);
    expect(redirection.proxies.active).toBeUndefined();
  });
});

describe("resync", () => {
  test("looks at once and then in intervals, goes on when looking failed, and stops", async () => {
    const redirection = new FakeRedirection();
    const made = await agent({ redirection }, pod(1), veth(1));
    let looks = 0;
    redirection.before.set("observe", () => {
      if (++looks === 2) throw new Error("no netlink");
    });
    const error = vi.fn();
    const loop = new ResyncLoop({
      intervalMs: 10,
      observe: () => made.reconciler.observe(),
      submit: (input) => made.engine.submit(input),
      log: { ...silentLogger, error },
    });
    loop.start();
    await waitFor(() => expect(looks).toBeGreaterThan(3));
    await loop.stop();
    const after = looks;
    await new Promise((resolve) => setTimeout(resolve, 40));
    expect(looks).toBe(after);
    expect(error).toHaveBeenCalledWith(
      expect.objectContaining({ error: "no netlink" }),
      "the kernel could not be observed",
    );
    const due = made.records.filter((record) => record.type === "resync.due").map(({ data }) => data);
    expect(due.slice(0, 2)).toEqual([{ delayMs: 0 }, { delayMs: 10 }]);
  });
});

test("resync tries again soon after looking failed, ever later while it fails, and never later than in an interval", async () => {
  const due: { readonly run: () => void; readonly ms: number }[] = [];
  let fails = true;
  const loop = new ResyncLoop({
    intervalMs: 3_000,
    observe: async () => {
      if (fails) throw new Error("no netlink");
    },
    submit: async () => {},
    log: silentLogger,
    timers: { set: (run, ms) => due.push({ run, ms }), clear: () => {} },
  });
  loop.start();
  for (let looks = 1; looks <= 5; looks++) {
    await waitFor(() => expect(due).toHaveLength(looks));
    fails = looks < 4;
    due.at(-1)?.run();
  }
  await waitFor(() => expect(due).toHaveLength(6));
  expect(due.map(({ ms }) => ms)).toEqual([1_000, 2_000, 3_000, 3_000, 3_000, 3_000]);
  fails = true;
  due.at(-1)?.run();
  await waitFor(() => expect(due).toHaveLength(7));
  expect(due.at(-1)?.ms).toBe(1_000);
  await loop.stop();
  loop.retrySoon();
  expect(due).toHaveLength(7);
});

test("resync comes soon when another reading has failed, once", async () => {
  const due: { readonly run: () => void; readonly ms: number }[] = [];
  const cleared: unknown[] = [];
  const loop = new ResyncLoop({
    intervalMs: 30_000,
    observe: async () => {},
    submit: async () => {},
    log: silentLogger,
    timers: { set: (run, ms) => due.push({ run, ms }), clear: (timer) => cleared.push(timer) },
  });
  loop.start();
  loop.retrySoon();
  await waitFor(() => expect(due).toHaveLength(1));
  for (const _ of [1, 2]) loop.retrySoon();
  expect(due.map(({ ms }) => ms)).toEqual([30_000, 1_000]);
  expect(cleared).toEqual([1]);
  due.at(-1)?.run();
  await waitFor(() => expect(due.at(-1)?.ms).toBe(30_000));
  await loop.stop();
});

test("removing: the outcome is told, and nothing is left in the state", async () => {
  const made = await agent({}, pod(1), veth(1));
  await made.engine.submit(vethGone(1));
  await made.idle();
  expect(made.redirection.calls).toEqual(["apply uid-1", "remove uid-1"]);
  expect(made.types(workload(1)).at(-1)).toBe("redirection.removed");
  expect(made.engine.state.requested.size + made.engine.state.outcomes.size).toBe(0);
});
