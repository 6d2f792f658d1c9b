import { expect, test } from "vitest";
import type { Observation } from "../backend/contract.ts";
import {
  meshNamespace,
  plainNamespace,
  pod,
  proxyPod,
  Scenario,
  started,
  synced,
  veth,
  workload,
} from "../testing/scenario.ts";
import { notTakenOver } from "./taken-over.ts";

/** What another backend still has in the kernel. */
function having(...indices: readonly number[]): Observation {
  const workloads = indices.map((index) => ({
    uid: `uid-${index}`,
    state: "complete" as const,
    problems: [],
    foreign: [],
    addresses: [],
    hostIndex: 100 + index,
  }));
  return { workloads, proxies: [], problems: [], nodeAddresses: [], counters: {} };
}

function scenario(...given: Parameters<Scenario["feed"]>): Scenario {
  const run = new Scenario();
  run.feed(started(), meshNamespace(), ...given);
  return run;
}

test("nothing can be said before everything was listed", () => {
  expect(notTakenOver(scenario().state, having())).toEqual(["what is wanted is not known yet"]);
});

test("a member that the other one has is waited for until the kernel was changed for it", () => {
  const run = scenario(synced, pod(1), veth(1));
  expect(notTakenOver(run.state, having(1))).toEqual(["workload shop/pod-1 is not redirected yet"]);
  run.fail(workload(1));
  expect(notTakenOver(run.state, having(1))).toHaveLength(1);
  run.feed({ type: "retry.due", subject: workload(1), data: { attempt: 2, delayMs: 100 } });
  run.succeed(workload(1));
  expect(notTakenOver(run.state, having(1))).toEqual([]);
});

test("a member whose interface is not found yet would be let go uncaptured", () => {
  expect(notTakenOver(scenario(synced, pod(1)).state, having(1))).toEqual([
    "workload shop/pod-1 is not redirected yet",
  ]);
});

test("members that the other one never had, pods that left the mesh and pods that are gone hold nothing up", () => {
  const run = scenario(synced, pod(1), veth(1), pod(2), veth(2));
  expect(notTakenOver(run.state, having())).toEqual([]);
  run.feed(plainNamespace());
  expect(notTakenOver(run.state, having(1, 2, 3))).toEqual([]);
});

test("the active proxy is to be in use first", () => {
  const run = scenario(synced, proxyPod(9), veth(9));
  expect(notTakenOver(run.state, having())).toEqual(["the node proxy is not in use yet"]);
  run.succeed("proxies");
  expect(notTakenOver(run.state, having())).toEqual([]);
});
