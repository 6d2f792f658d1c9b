import { describe, expect, test } from "vitest";
import type { EventInput } from "../events/event.ts";
import { inputs } from "../events/inputs.ts";
import { subjects } from "../events/subjects.ts";
import { evolve } from "../state/evolve.ts";
import { fromSnapshot, toSnapshot } from "../state/snapshot.ts";
import { initialState } from "../state/state.ts";
import { replayed } from "../testing/replayed.ts";
import { meshNamespace, pod, proxyPod, Scenario, started, synced, veth, workload } from "../testing/scenario.ts";
import { MOST_FAILURES } from "./evolve-switch.ts";

const A = "ebpf";
const B = "iptables";
const PROXY = 9;

const selected = (backend: string): EventInput =>
  inputs.backendSelected({ mode: A, backend, probes: [], reason: "named by redirectMode" });
const request = (to: string, uids?: string[]): EventInput =>
  inputs.switchRequested({ to, ...(uids && { uids }), mode: A, reason: "asked for by millrace switch" });
const proxyVeth = (index: number) => veth(index, { namespace: "istio-system", name: `ztunnel-${index}` });

/** A node with a proxy and two members, all of it applied by A. */
function node(): Scenario {
  const run = new Scenario();
  run.feed(started(), selected(A), synced, meshNamespace(), proxyPod(PROXY), proxyVeth(PROXY));
  run.feed(pod(1), veth(1), pod(2), veth(2));
  run.succeed(subjects.proxies, workload(1), workload(2));
  return run;
}

type Intents = ReturnType<Scenario["feed"]>;

/** `workload/uid-1 ebpf +iptables`: what was asked for, in short. */
function steps(intents: Intents): string[] {
  return intents.map(({ subject, data }) => {
    const placement = "placement" in data.spec ? data.spec.placement : undefined;
    const { on = "alone", joins, leaves } = placement ?? {};
    return [subject, data.action === "remove" ? "remove" : on, joins && `+${joins}`, leaves && `-${leaves}`]
      .filter(Boolean)
      .join(" ");
  });
}

describe("a switch of the whole node", () => {
  test("goes by the proxies, then each member by joining and leaving, then the backend that served", () => {
    const run = node();
    expect(steps(run.feed(request(B)))).toEqual(["proxies ebpf +iptables"]);
    expect(steps(run.succeed("proxies"))).toEqual(["workload/uid-1 ebpf +iptables", "workload/uid-2 ebpf +iptables"]);
    expect(steps(run.succeed(workload(1)))).toEqual(["workload/uid-1 iptables -ebpf"]);
    expect(steps(run.succeed(workload(1)))).toEqual([]);
    expect(steps(run.succeed(workload(2)))).toEqual(["workload/uid-2 iptables -ebpf"]);
    expect(steps(run.succeed(workload(2)))).toEqual(["proxies iptables -ebpf"]);
    expect(run.state.switch).toBeDefined();
    expect(steps(run.succeed("proxies"))).toEqual(["proxies alone", "workload/uid-1 alone", "workload/uid-2 alone"]);
    expect(run.state.switch).toBeUndefined();
    expect(run.state.backend).toMatchObject({ backend: B, reason: "switched: asked for by millrace switch" });
    expect(run.state.switched).toMatchObject({ mode: A, backend: B });
  });

  test("a member that comes begins where it is going to be, as soon as that has the proxies", () => {
    const run = node();
    run.feed(request(B), pod(3));
    expect(steps(run.feed(veth(3)))).toEqual(["workload/uid-3 alone"]);
    run.succeed(workload(3), "proxies");
    run.feed(pod(4));
    expect(steps(run.feed(veth(4)))).toEqual(["workload/uid-4 iptables"]);
  });

  test("one that goes is removed, and holds nobody up", () => {
    const run = node();
    run.feed(request(B));
    run.succeed("proxies", workload(1), workload(1));
    expect(steps(run.feed(inputs.podRemoved("uid-2")))).toEqual(["workload/uid-2 remove"]);
    expect(steps(run.succeed(workload(2)))).toEqual(["proxies iptables -ebpf"]);
  });

  test("waits while a proxy drains", () => {
    const run = node();
    run.feed(proxyPod(10), proxyVeth(10));
    run.succeed("proxies");
    expect(steps(run.feed(request(B)))).toEqual([]);
    run.feed(inputs.interfaceRemoved({ containerId: `container-${PROXY}`, uid: `uid-${PROXY}` }));
    expect(steps(run.feed(inputs.podRemoved(`uid-${PROXY}`)))).toEqual([]);
    expect(run.state.requested.get("proxies")?.spec).toMatchObject({ placement: { on: A, joins: B } });
  });

  test("of a node without a proxy and without members is over when both have been asked", () => {
    const run = new Scenario();
    run.feed(started(), selected(A), synced);
    expect(steps(run.feed(request(B)))).toEqual(["proxies ebpf +iptables"]);
    expect(steps(run.succeed("proxies"))).toEqual(["proxies iptables -ebpf"]);
    run.succeed("proxies");
    expect(run.state.backend?.backend).toBe(B);
  });

  test("to the backend that serves is none", () => {
    const run = node();
    expect(steps(run.feed(request(A)))).toEqual([]);
    expect(run.state.switch).toBeUndefined();
  });
});

describe("the way back", () => {
  test("asked for half way: those that are over come back by the same steps", () => {
    const run = node();
    run.feed(request(B));
    run.succeed("proxies", workload(1), workload(1), workload(2));
    expect(steps(run.feed(request(A)))).toEqual(
      ["proxies ebpf +iptables", "workload/uid-1 iptables +ebpf", "workload/uid-2 iptables +ebpf"].slice(1),
    );
    expect(steps(run.succeed(workload(1)))).toEqual(["workload/uid-1 ebpf -iptables"]);
    run.succeed(workload(1), workload(2));
    expect(steps(run.succeed(workload(2)))).toEqual(["proxies ebpf -iptables"]);
    run.succeed("proxies");
    expect(run.state.switch).toBeUndefined();
    expect(run.state.backend?.backend).toBe(A);
  });

  test("a step that fails again and again turns the switch, and the reason is kept", () => {
    const run = node();
    run.feed(request(B));
    run.succeed("proxies", workload(1), workload(1));
    for (let attempt = 1; attempt < MOST_FAILURES; attempt++) expect(steps(run.fail(workload(2), attempt))).toEqual([]);
    expect(steps(run.fail(workload(2), MOST_FAILURES))).toEqual([
      "workload/uid-1 iptables +ebpf",
      "workload/uid-2 ebpf -iptables",
    ]);
    run.succeed(workload(2), workload(1), workload(1), "proxies");
    expect(run.state.switched).toMatchObject({
      backend: A,
      failure: { subject: workload(2), code: "EBUSY", message: "device or resource busy" },
    });
  });

  test("a backend that cannot use the proxies is given up before anybody has moved", () => {
    const run = node();
    run.feed(request(B));
    expect(steps(run.fail("proxies", MOST_FAILURES))).toEqual(["proxies ebpf -iptables"]);
    expect(steps(run.succeed("proxies"))).toContain("proxies alone");
    expect(run.state.switched?.failure).toMatchObject({ subject: "proxies" });
  });

  test("a failure on the way back, or of the last step, turns nothing: it is tried again", () => {
    const run = node();
    run.feed(request(B));
    run.succeed("proxies", workload(1), workload(1), workload(2), workload(2));
    run.fail("proxies", MOST_FAILURES);
    expect(run.state.switch).toMatchObject({ everything: true });
    run.feed(request(A));
    run.succeed("proxies");
    run.fail(workload(1), MOST_FAILURES);
    expect(run.state.switch).toMatchObject({ everything: false });
    expect(run.state.switch?.failure).toBeUndefined();
  });
});

describe("single workloads", () => {
  test("only these go; the node keeps both until they are back", () => {
    const run = node();
    run.feed(request(B, ["uid-2"]));
    expect(steps(run.succeed("proxies"))).toEqual(["workload/uid-2 ebpf +iptables"]);
    run.succeed(workload(2));
    expect(steps(run.succeed(workload(2)))).toEqual([]);
    expect(run.state.switch).toMatchObject({ home: A, everything: false, uids: ["uid-2"] });
    expect(steps(run.feed(request(A, ["uid-2"])))).toEqual(["workload/uid-2 iptables +ebpf"]);
    run.succeed(workload(2));
    expect(steps(run.succeed(workload(2)))).toEqual(["proxies ebpf -iptables"]);
  });

  test("those that go end it", () => {
    const run = node();
    run.feed(request(B, ["uid-2", "uid-5"]));
    run.succeed("proxies");
    run.succeed(workload(2));
    run.succeed(workload(2));
    expect(steps(run.feed(inputs.podRemoved("uid-2")))).toEqual(["workload/uid-2 remove"]);
    expect(run.state.switch).toMatchObject({ uids: ["uid-2", "uid-5"] });
    run.succeed(workload(2));
    expect(run.state.switch).toMatchObject({ uids: ["uid-5"] });
    // Seen, and gone before it was redirected.
    run.feed(pod(5, { addresses: [] }));
    expect(steps(run.feed(inputs.podRemoved("uid-5")))).toEqual(["proxies ebpf -iptables"]);
  });

  test("one that fails comes back alone", () => {
    const run = node();
    run.feed(request(B, ["uid-1", "uid-2"]));
    run.succeed("proxies");
    expect(steps(run.fail(workload(2), MOST_FAILURES))).toEqual(["workload/uid-2 ebpf -iptables"]);
    expect(run.state.switch).toMatchObject({ uids: ["uid-1"], failure: { subject: workload(2) } });
  });

  test("all of the node after some of it, and back", () => {
    const run = node();
    run.feed(request(B, ["uid-2"]));
    run.succeed("proxies", workload(2), workload(2));
    expect(steps(run.feed(request(B)))).toEqual(["workload/uid-1 ebpf +iptables"]);
    run.succeed(workload(1));
    expect(steps(run.succeed(workload(1)))).toEqual(["proxies iptables -ebpf"]);
  });
});

describe("an agent that dies", () => {
  /** A new run, which hears of everything anew. */
  function restart(run: Scenario): string[] {
    run.feed(started(), selected(A), meshNamespace());
    const intents = run.feed(proxyPod(PROXY), proxyVeth(PROXY), pod(1), veth(1), pod(2), veth(2), synced);
    return steps(intents);
  }

  test("before a step was confirmed: it is asked for again, as it was", () => {
    const run = node();
    run.feed(request(B));
    run.succeed("proxies", workload(1));
    expect(restart(run).sort()).toEqual([
      "proxies ebpf +iptables",
      "workload/uid-1 iptables -ebpf",
      "workload/uid-2 ebpf +iptables",
    ]);
    run.succeed("proxies", workload(1), workload(2), workload(2), "proxies");
    expect(run.state.backend?.backend).toBe(B);
  });

  test("at any point: the switch comes to its end", () => {
    for (let done = 0; done < 6; done++) {
      const run = node();
      run.feed(request(B));
      const script = ["proxies", workload(1), workload(2), workload(1), workload(2), "proxies"];
      run.succeed(...script.slice(0, done));
      restart(run);
      for (let round = 0; round < 6; round++) {
        const pending = [...run.state.outcomes].filter(([, { state }]) => state === "pending").map(([key]) => key);
        run.succeed(...pending.sort());
      }
      expect(run.state.switch, `after ${done} steps`).toBeUndefined();
      expect(run.state.backend?.backend).toBe(B);
    }
  });
});

test("a switch is in the snapshot, and is replayed", () => {
  const run = node();
  run.feed(request(B));
  run.succeed("proxies", workload(1));
  expect(fromSnapshot(toSnapshot(run.state)).switch).toEqual(run.state.switch);
  run.succeed(workload(1), workload(2), workload(2), "proxies");
  expect(fromSnapshot(toSnapshot(run.state)).switched).toEqual(run.state.switched);
  run.feed({ type: "state.snapshot", subject: "log", data: toSnapshot(run.state) });
  const result = replayed(run.records);
  expect(result).toMatchObject({ differences: [], snapshots: 1 });
  expect(result.state).toEqual(run.records.reduce(evolve, initialState));
});
