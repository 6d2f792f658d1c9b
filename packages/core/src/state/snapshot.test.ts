import { Set as ImmutableSet } from "immutable";
import { expect, test } from "vitest";
import { canonicalJson } from "../events/canonical-json.ts";
import { inputs } from "../events/inputs.ts";
import { parseInput } from "../events/parse.ts";
import { meshNamespace, pod, proxyPod, Scenario, started, synced, veth, workload } from "../testing/scenario.ts";
import { fromSnapshot, toSnapshot } from "./snapshot.ts";
import type { State } from "./state.ts";

/** A state with something in every part of it. */
function full(): Scenario {
  const run = new Scenario();
  run.feed(
    started(),
    synced,
    meshNamespace(),
    inputs.hostAddresses(["198.19.0.1"]),
    proxyPod(9),
    veth(9),
    pod(1),
    veth(1),
  );
  run.succeed("node", "proxies", workload(1));
  run.feed(started(["manifests", "other"]));
  run.feed(
    synced,
    inputs.watchLost("other", "gone"),
    meshNamespace(),
    inputs.hostAddresses(["198.19.0.1"]),
    proxyPod(8),
    inputs.nodeObserved({ name: "n1", addresses: ["198.19.0.2"] }),
    inputs.backendSelected({ mode: "auto", backend: "ebpf", probes: [], reason: "first" }),
    pod(2),
    veth(2),
    pod(3),
    inputs.discoveryFailed({ uid: "uid-3", attempts: [{ method: "route", outcome: "none" }] }),
    pod(4, { addresses: ["198.18.1.12"] }),
    veth(4, { addresses: ["198.18.1.12"] }),
  );
  run.fail(workload(2));
  run.feed(
    { type: "drift.found", subject: workload(1), data: { problems: ["missing"] } },
    inputs.agentStopped("SIGTERM"),
  );
  // Only before the first list, when most of the rest is still empty.
  const { namespaces, pods } = run.state;
  run.state = {
    ...run.state,
    remembered: { namespaces, pods },
    recalled: ImmutableSet(["namespace/shop", "pod/uid-2"]),
  };
  return run;
}

test("nothing of a state is left out", () => {
  const { state } = full();
  const empty = Object.entries(state).filter(([, value]) => value?.size === 0 || value?.length === 0);
  expect(empty.map(([name]) => name)).toEqual([]);
});

test("a state survives the log, indices included", () => {
  const { state } = full();
  const input = parseInput({
    type: "state.snapshot",
    subject: "log",
    data: JSON.parse(canonicalJson(toSnapshot(state))),
  });
  const restored = { ...fromSnapshot(input.data as never), seq: state.seq };
  const plain = (value: State) =>
    JSON.parse(JSON.stringify(value, (_, part) => (part instanceof Set ? [...part].sort() : part)));
  expect(sorted(plain(restored))).toEqual(sorted(plain(state)));
  expect(canonicalJson(toSnapshot(restored))).toBe(canonicalJson(toSnapshot(state)));
});

test("decisions after a snapshot are those that would have come without it", () => {
  const [plain, snapshotted] = [full(), full()];
  snapshotted.state = { ...fromSnapshot(toSnapshot(snapshotted.state)), seq: snapshotted.state.seq };
  const next = [veth(3), pod(1), veth(1), inputs.podRemoved("uid-4"), proxyPod(9), veth(9)];
  next.push({ type: "retry.due", subject: workload(2), data: { attempt: 2, delayMs: 1 } } as never);
  const intents = snapshotted.feed(...next);
  expect(intents).toEqual(plain.feed(...next));
  expect(intents.length).toBeGreaterThan(3);
});

/** Sets and index lists have no order of their own. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted).sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, sorted(part)]));
}
