import { describe, expect, test } from "vitest";
import { isNews } from "../decide/is-news.ts";
import { enrolmentOf } from "../engine/enrolment.ts";
import { inputs } from "../events/inputs.ts";
import {
  brief,
  meshNamespace,
  plainNamespace,
  pod,
  Scenario,
  started,
  synced,
  veth,
  workload,
} from "../testing/scenario.ts";

const lost = inputs.watchLost("manifests", "ECONNREFUSED");

/** An agent that has started anew, after a run that knew a member, its namespace and one outside the mesh. */
function restarted(): Scenario {
  const run = new Scenario();
  run.feed(started(), meshNamespace(), plainNamespace("plain"), pod(1), pod(2), veth(1), synced);
  run.succeed(workload(1));
  run.feed(started());
  return run;
}

const enrolment = (run: Scenario, index: number) => enrolmentOf(run.state, `uid-${index}`);

test("nothing is taken from memory as long as the first list may still come", () => {
  const run = restarted();
  run.feed(veth(7, { namespace: "plain" }), veth(1));
  expect(run.state.pods.size).toBe(0);
  expect(enrolment(run, 7)).toBeUndefined();
  expect(enrolment(run, 1)).toBeUndefined();
});

describe("while the watch is lost before its first list", () => {
  test("a pod that starts in a namespace outside the mesh is answered", () => {
    const run = restarted();
    run.feed(veth(7, { namespace: "plain" }));
    run.feed(lost);
    expect(enrolment(run, 7)).toEqual({
      kind: "not-member",
      reason: "namespace plain has no label istio.io/dataplane-mode=ambient",
    });
  });

  test("a member that was known is enrolled with the interface it has now", () => {
    const run = restarted();
    run.feed(lost);
    const [intent] = run.feed(veth(1, { containerId: "again", netnsInode: 4711, addresses: ["198.18.1.99"] }));
    expect(intent?.data).toMatchObject({ action: "apply", spec: { uid: "uid-1", addresses: ["198.18.1.99"] } });
    run.succeed(workload(1));
    expect(enrolment(run, 1)).toEqual({ kind: "applied" });
  });

  test("interfaces that were announced before it was lost are decided about then", () => {
    const run = restarted();
    run.feed(veth(2));
    expect(brief(run.feed(lost))).toEqual(["workload/uid-2 apply"]);
  });

  test("a pod that nobody has ever seen waits, for it may opt out", () => {
    const run = restarted();
    run.feed(lost, veth(9));
    expect(enrolment(run, 9)).toBeUndefined();
  });

  test("what this run has seen itself is stronger than memory", () => {
    const run = restarted();
    run.feed(plainNamespace(), lost);
    expect(run.state.namespaces.get("shop")).toEqual({});
  });
});

describe("when the list comes after all", () => {
  test("what it mentions is news, though the same, and what it does not is gone", () => {
    const run = restarted();
    run.feed(veth(2), lost, veth(1));
    run.succeed(workload(1), workload(2));
    const again = [meshNamespace(), pod(1, { addresses: [] })];
    expect(again.map((input) => isNews(run.state, input))).toEqual([true, true]);
    run.feed(...again);
    expect(again.map((input) => isNews(run.state, input))).toEqual([false, false]);
    expect(brief(run.feed(synced))).toEqual(["workload/uid-2 remove"]);
    expect(run.state.pods.keySeq().toArray()).toEqual(["uid-1"]);
    expect(run.state.namespaces.keySeq().toArray()).toEqual(["shop"]);
    expect(run.state.recalled.size + run.state.remembered.pods.size + run.state.remembered.namespaces.size).toBe(0);
  });

  test("a later loss takes nothing from memory any more", () => {
    const run = restarted();
    run.feed(meshNamespace(), pod(1), synced, lost);
    expect(run.state.pods.keySeq().toArray()).toEqual(["uid-1"]);
  });
});

test("each watch of a cluster answers for its own objects", () => {
  const run = restarted();
  run.feed(started(["kubernetes-namespaces", "kubernetes-pods"]));
  run.feed(inputs.watchLost("kubernetes-pods", "403"));
  expect([run.state.namespaces.size, run.state.pods.size]).toEqual([0, 2]);
  run.feed(inputs.watchLost("kubernetes-namespaces", "403"));
  expect([run.state.namespaces.size, run.state.pods.size]).toEqual([2, 2]);
  run.feed(inputs.watchSynced("kubernetes-pods"));
  expect([run.state.namespaces.size, run.state.pods.size]).toEqual([2, 0]);
});

test("memory outlives a run that could list nothing and one that did not even find that out", () => {
  const run = restarted();
  run.feed(lost, started(), started(), lost);
  expect([run.state.namespaces.size, run.state.pods.size]).toEqual([2, 2]);
});
