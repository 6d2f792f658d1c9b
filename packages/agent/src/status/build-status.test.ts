import type { Observation, WorkloadObservation } from "@millrace/core";
import {
  decisionConfiguration,
  type EventInput,
  initialState,
  inputs,
  parseConfiguration,
  type State,
  step,
} from "@millrace/core/internal";
import { describe, expect, test } from "vitest";
import { buildStatus } from "./build-status.ts";
import { KernelView } from "./kernel-view.ts";
import { statusSchema } from "./status-document.ts";

const UID = "uid-web-1";
const LABELS = { "istio.io/dataplane-mode": "ambient" };
const at = (second: number) => new Date(Date.UTC(2026, 0, 2, 3, 0, second)).toISOString();

const config = decisionConfiguration(parseConfiguration({ node: { name: "n1" } }));

function pod(changes: Partial<Parameters<typeof inputs.podObserved>[0]> = {}): EventInput {
  return inputs.podObserved({
    uid: UID,
    namespace: "shop",
    name: "web-1",
    nodeName: "n1",
    labels: {},
    annotations: {},
    hostNetwork: false,
    phase: "Running",
    ready: true,
    terminating: false,
    addresses: ["198.18.1.11"],
    createdAt: at(0),
    ...changes,
  });
}

function veth(uid: string, namespace: string, name: string, address: string, index: number): EventInput {
  return inputs.interfaceAdded({
    containerId: `c-${uid}`,
    uid,
    namespace,
    name,
    netns: `/run/netns/${name}`,
    netnsInode: 100 + index,
    ifName: "eth0",
    mac: "02:00:00:00:00:01",
    hostIfName: `h-${name}`,
    hostIfIndex: index,
    addresses: [address],
    source: "cni",
  });
}

const started = inputs.agentStarted({ version: "0.1.0", node: "n1", config });
const member = [
  started,
  inputs.namespaceObserved({ name: "shop", labels: LABELS }),
  pod(),
  veth(UID, "shop", "web-1", "198.18.1.11", 3),
  inputs.watchSynced("manifests"),
];
const proxy = [
  pod({ uid: "uid-z", namespace: "istio-system", name: "z", labels: { app: "ztunnel" }, addresses: ["198.18.1.20"] }),
  veth("uid-z", "istio-system", "z", "198.18.1.20", 4),
];

/** Each input one second after the one before it. */
function after(...events: readonly EventInput[]): State {
  return events.reduce((state, input, index) => step(state, input, at(index)).state, initialState);
}

function answered(
  state: State,
  subject: string,
  type: "redirection.applied" | "redirection.failed",
  second: number,
): State {
  const requested = state.requested.get(subject);
  const data = {
    action: requested?.action,
    generation: requested?.seq,
    durationMs: 1,
    attempt: 3,
    ...(type === "redirection.failed" && { error: { code: "ERR_MAP_FULL", message: "no room" } }),
  };
  return step(state, { type, subject, data } as EventInput, at(second)).state;
}

const seen = (state: "complete" | "partial"): Observation => ({
  workloads: [{ uid: UID, state, problems: [], foreign: [], addresses: ["198.18.1.11"], hostIndex: 3 }],
  proxies: [],
  problems: [],
  nodeAddresses: [],
  counters: { "app_outbound.captured": 1 },
});

/** A reading of everything that began in this second, when so much was known. */
type Read = readonly [second: number, observation: Observation, known?: State];

/** A view whose clock can be set: readings are shown by it, and judged by their order alone. */
class TestView extends KernelView {
  second = 0;
  steadyMs = 0;

  constructor() {
    super({ patienceMs: 90_000, now: () => new Date(at(this.second)), steadyMs: () => this.steadyMs });
  }

  fail(second: number, state: State): void {
    this.second = second;
    this.begin(state).failed(Object.assign(new Error("not today"), { code: "EPERM" }));
  }

  read([second, observation, known]: Read, state: State): void {
    this.second = second;
    this.begin(known ?? state).ended(observation, state);
  }

  readAlone(second: number, found: readonly WorkloadObservation[], state: State): void {
    this.second = second;
    this.beginWorkloads(state, new Set([UID])).ended(found, state);
  }
}

function status(state: State, ...readings: readonly Read[]) {
  const view = new TestView();
  for (const read of readings) view.read(read, state);
  return statusOf(state, view);
}

function statusOf(state: State, view: KernelView) {
  const document = buildStatus({
    time: at(59),
    state,
    view,
    agent: { version: "0.1.0", node: "n1", pid: 1, startedAt: at(0), redirectMode: "auto", failurePolicy: "closed" },
    earlier: [],
    eventLog: { path: "/x", lastSeq: state.seq, state: "healthy", lostEvents: 0 },
  });
  return statusSchema.parse(document);
}

const web = (document: ReturnType<typeof status>) => document.workloads.find(({ uid }) => uid === UID);
const SUBJECT = `workload/${UID}`;

test("asked for, not answered: pending", () => {
  expect(web(status(after(...member)))).toMatchObject({ state: "pending", reason: "being applied" });
});

test("applied is not enrolled until the kernel was read after it", () => {
  const asked = after(...member);
  const applied = answered(asked, SUBJECT, "redirection.applied", 10);
  expect(web(status(applied))).toMatchObject({ state: "pending", reason: "applied, not read back yet", since: at(10) });
  const early = web(status(applied, [9, seen("complete"), asked]));
  expect(early).toMatchObject({ state: "pending", reason: "applied, not read back yet" });
  expect(early).not.toHaveProperty("agreedAt");
  const enrolled = web(status(applied, [11, seen("complete")]));
  expect(enrolled).toMatchObject({ state: "enrolled", since: at(10), agreedAt: at(11), addresses: ["198.18.1.11"] });
  expect(enrolled).not.toHaveProperty("reason");
});

describe("a clock that is put back", () => {
  const applied = answered(after(...member), SUBJECT, "redirection.applied", 50);

  test("hides no later reading behind one from before", () => {
    const view = new TestView();
    view.readAlone(55, seen("complete").workloads, applied);
    expect(web(statusOf(applied, view))).toMatchObject({ state: "enrolled", agreedAt: at(55) });
    view.read([5, seen("partial")], applied);
    expect(web(statusOf(applied, view))).toMatchObject({ state: "partial" });
    view.readAlone(4, seen("complete").workloads, applied);
    expect(web(statusOf(applied, view))).toMatchObject({ state: "enrolled", agreedAt: at(4) });
  });

  test("keeps nothing that was read back from being so", () => {
    expect(web(status(applied, [5, seen("complete")]))).toMatchObject({ state: "enrolled", agreedAt: at(5) });
    const state = answered(after(...member, ...proxy), "proxies", "redirection.applied", 50);
    const key = status(state).proxies[0]?.key ?? "";
    const proxies = [{ key, role: "active" as const, state: "complete" as const, problems: [], foreign: [] }];
    expect(status(state, [5, { ...seen("complete"), proxies }]).proxies).toMatchObject([{ state: "complete" }]);
  });
});

describe("a workload that was read by itself", () => {
  const asked = after(...member);
  const applied = answered(asked, SUBJECT, "redirection.applied", 10);
  const nothing: Observation = { ...seen("complete"), workloads: [] };
  const viewed = () => {
    const view = new TestView();
    view.read([9, nothing, asked], applied);
    return view;
  };
  const shown = (view: KernelView) => web(statusOf(applied, view));

  test("is enrolled, by when it was read", () => {
    const view = viewed();
    expect(shown(view)).toMatchObject({ state: "pending", reason: "applied, not read back yet" });
    view.readAlone(11, seen("complete").workloads, applied);
    expect(shown(view)).toMatchObject({ state: "enrolled", agreedAt: at(11) });
    expect(statusOf(applied, view).observation?.time).toBe(at(9));
  });

  test("is as it was then although a reading of everything that began before ended later", () => {
    const view = viewed();
    const all = view.begin(asked);
    view.readAlone(12, seen("complete").workloads, applied);
    all.ended(nothing, applied);
    expect(shown(view)).toMatchObject({ state: "enrolled", agreedAt: at(12) });
    view.read([13, nothing], applied);
    expect(shown(view)).toMatchObject({ state: "partial", reason: "the kernel holds nothing of it" });
  });

  test("is not as it was then when a reading of everything that began later has ended before", () => {
    const view = viewed();
    const alone = view.beginWorkloads(applied, new Set([UID]));
    view.read([12, nothing], applied);
    alone.ended(seen("complete").workloads, applied);
    expect(shown(view)).toMatchObject({ state: "partial", reason: "the kernel holds nothing of it" });
  });

  test("is partial when nothing was found of it", () => {
    const view = viewed();
    view.read([11, seen("complete")], applied);
    view.readAlone(12, [], applied);
    expect(shown(view)).toMatchObject({ state: "partial", reason: "the kernel holds nothing of it", agreedAt: at(11) });
  });
});

describe("while the kernel cannot be read", () => {
  const applied = answered(
    answered(after(...member, ...proxy), "proxies", "redirection.applied", 10),
    SUBJECT,
    "redirection.applied",
    10,
  );
  const key = status(applied).proxies[0]?.key ?? "";
  const proxies = [{ key, role: "active" as const, state: "complete" as const, problems: [], foreign: [] }];
  const whole: Observation = { ...seen("complete"), proxies };
  const viewed = () => {
    const view = new TestView();
    view.read([11, whole], applied);
    return view;
  };

  test("nothing is enrolled from memory, and it is told since when, how often and why", () => {
    const view = viewed();
    expect(statusOf(applied, view)).not.toHaveProperty("unread");
    for (const second of [20, 21]) view.fail(second, applied);
    const document = statusOf(applied, view);
    expect(document.unread).toEqual({ since: at(20), attempts: 2, code: "EPERM", message: "not today" });
    expect(document.observation?.time).toBe(at(11));
    expect(web(document)).toMatchObject({
      state: "unseen",
      reason: "the kernel cannot be read now",
      agreedAt: at(11),
    });
    expect(document.proxies).toMatchObject([{ state: "unseen", problems: ["the kernel cannot be read now"] }]);
    view.read([30, whole], applied);
    expect(statusOf(applied, view)).not.toHaveProperty("unread");
    expect(web(statusOf(applied, view))).toMatchObject({ state: "enrolled", agreedAt: at(30) });
  });

  test("what was read by itself since then was seen", () => {
    const view = viewed();
    view.fail(20, applied);
    view.readAlone(21, seen("complete").workloads, applied);
    expect(web(statusOf(applied, view))).toMatchObject({ state: "enrolled", agreedAt: at(21) });
    expect(statusOf(applied, view).unread).toBeDefined();
    view.fail(22, applied);
    expect(web(statusOf(applied, view))).toMatchObject({ state: "unseen" });
  });

  test("a failure that is told late says nothing of what was read since it began", () => {
    const view = viewed();
    const overdue = view.begin(applied);
    view.read([20, whole], applied);
    overdue.failed(new Error("did not finish"));
    expect(statusOf(applied, view)).not.toHaveProperty("unread");
  });

  test("nor is it where readings do not end at all", () => {
    const view = viewed();
    view.steadyMs += 90_000;
    expect(web(statusOf(applied, view))).toMatchObject({ state: "enrolled" });
    view.steadyMs += 1;
    expect(web(statusOf(applied, view))).toMatchObject({ state: "unseen" });
    expect(statusOf(applied, view).unread).toEqual({
      since: at(11),
      attempts: 0,
      code: "ERR_DEADLINE",
      message: "no reading has ended for more than 90 s",
    });
  });

  test("before the first reading too", () => {
    const view = new TestView();
    view.fail(5, applied);
    expect(statusOf(applied, view).unread).toMatchObject({ since: at(5), attempts: 1 });
    expect(web(statusOf(applied, view))).toMatchObject({ state: "pending", reason: "applied, not read back yet" });
  });
});

test("what the kernel lost is partial, and since when it agreed is kept", () => {
  const applied = answered(after(...member), SUBJECT, "redirection.applied", 10);
  const document = status(applied, [11, seen("complete")], [20, { ...seen("partial"), workloads: [] }]);
  expect(web(document)).toMatchObject({ state: "partial", reason: "the kernel holds nothing of it", agreedAt: at(11) });
  expect(web(status(applied, [11, seen("partial")]))).toMatchObject({ state: "partial" });
});

test("failed says why and how often", () => {
  const failed = answered(after(...member), SUBJECT, "redirection.failed", 10);
  expect(web(status(failed))).toMatchObject({ state: "failed", reason: "ERR_MAP_FULL: no room, attempt 3" });
});

test("a member without an interface waits, and says what was tried", () => {
  const waiting = member.filter(({ type }) => type !== "interface.added");
  expect(web(status(after(...waiting)))).toMatchObject({ state: "pending", reason: "no interface" });
  const attempts = [{ method: "route", outcome: "no host route" }];
  const tried = after(...waiting, inputs.discoveryFailed({ uid: UID, attempts }));
  expect(web(status(tried))?.problems).toEqual(["no interface found by route: no host route"]);
});

test("no member: says why; still in the kernel: leaving", () => {
  const unlabelled = after(started, inputs.namespaceObserved({ name: "shop", labels: {} }), pod());
  expect(web(status(unlabelled))).toMatchObject({ state: "not a member", reason: expect.stringContaining("no label") });
  const leaving = status(unlabelled, [5, seen("complete")]);
  expect(web(leaving)).toMatchObject({ state: "leaving" });
});

test("what the kernel holds of a pod nobody knows is told too", () => {
  const document = status(after(started), [5, seen("complete")]);
  expect(document.workloads).toMatchObject([{ uid: UID, namespace: "", state: "leaving" }]);
});

test("proxies: active, unseen until read back; no members", () => {
  const state = after(...member, ...proxy);
  const [unseen] = status(state).proxies;
  expect(unseen).toMatchObject({ name: "z", role: "active", state: "unseen" });
  const key = unseen?.key ?? "";
  const read = (role: "active" | "draining") => ({
    ...seen("complete"),
    proxies: [{ key, role, state: "complete" as const, problems: [], foreign: [] }],
  });
  expect(status(state, [20, read("active")]).proxies[0]).toMatchObject({ state: "unseen" });
  const used = answered(state, "proxies", "redirection.applied", 19);
  expect(status(used, [18, read("active"), state]).proxies[0]).toMatchObject({ state: "unseen" });
  expect(status(used, [20, read("active")]).proxies[0]).toMatchObject({ state: "complete", problems: [] });
  expect(status(used, [20, read("draining")]).proxies[0]).toMatchObject({
    state: "partial",
    problems: ["the kernel has it as draining"],
  });
  expect(status(state).workloads.find(({ name }) => name === "z")).toMatchObject({ state: "not a member" });
});

test("a proxy that cannot serve is a problem of the node", () => {
  const hostNetwork = pod({
    uid: "uid-z",
    namespace: "istio-system",
    name: "z",
    labels: { app: "ztunnel" },
    hostNetwork: true,
  });
  expect(status(after(...member, hostNetwork)).problems).toEqual([expect.stringContaining("host's network")]);
});

test("watches: waited for, synced, lost", () => {
  expect(status(after(started)).watches).toEqual([{ name: "manifests", state: "waiting" }]);
  expect(status(after(...member)).watches).toMatchObject([{ name: "manifests", state: "synced", since: at(4) }]);
  const lost = after(...member, inputs.watchLost("manifests", "directory is gone"));
  expect(status(lost).watches).toMatchObject([{ state: "lost", reason: "directory is gone" }]);
});

test("the last reading: its time, its problems, its counters, how full its maps are", () => {
  const document = status(after(started), [7, { ...seen("complete"), problems: ["settings differ"] }]);
  expect(document.observation).toEqual({ time: at(7), problems: ["settings differ"], nodeAddresses: [] });
  expect(document.counters).toEqual({ "app_outbound.captured": 1 });
  expect(document.maps).toEqual({});
  const maps = { members: { entries: 2, max: 3 } };
  expect(status(after(started), [7, { ...seen("complete"), maps }]).maps).toEqual(maps);
  expect(status(after(started))).not.toHaveProperty("observation");
});
