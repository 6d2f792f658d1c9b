import { describe, expect, test } from "vitest";
import type { EventInput } from "../events/event.ts";
import { inputs } from "../events/inputs.ts";
import {
  addressesOfPod,
  brief,
  interleave,
  meshNamespace,
  plainNamespace,
  pod,
  proxyPod,
  Scenario,
  seeded,
  started,
  synced,
  veth,
  vethGone,
  wantedSet,
  workload,
} from "../testing/scenario.ts";
import { step } from "./step.ts";
import { wantedWorkload } from "./workload.ts";

function scenario(...given: EventInput[]): Scenario {
  const fresh = new Scenario();
  fresh.feed(started(), synced, meshNamespace(), ...given);
  return fresh;
}

function drift(problem: string, subject = workload(1)): EventInput {
  return { type: "drift.found", subject, data: { problems: [problem] } };
}

describe("enrolment", () => {
  test("a member with an interface and an address is asked for once, with everything the backend needs", () => {
    const run = scenario(pod(1));
    const [intent, ...more] = run.feed(veth(1));
    expect(more).toEqual([]);
    expect(intent).toMatchObject({ seq: run.state.seq, subject: "workload/uid-1" });
    expect(intent?.data).toEqual({
      cause: run.state.seq - 1,
      action: "apply",
      spec: {
        uid: "uid-1",
        namespace: "shop",
        name: "pod-1",
        addresses: ["198.18.1.11", "2001:2:0:1::b"],
        interface: {
          netns: "/run/netns/pod-1",
          netnsInode: 1001,
          name: "eth0",
          mac: "02:00:00:00:00:01",
          hostName: "veth1",
          hostIndex: 101,
        },
        enrolExisting: "drain",
        dnsCapture: false,
        exclusions: { outboundPorts: [], outboundCidrs: [], inboundPorts: [], inboundCidrs: [] },
      },
    });
    expect(run.feed(pod(1, { ready: false }), veth(1))).toEqual([]);
  });

  test("CNI comes before Kubernetes: the addresses are those of the interface", () => {
    const run = scenario(veth(1));
    const [intent] = run.feed(pod(1, { addresses: [], phase: "Pending", ready: false }));
    expect(intent?.data.spec).toMatchObject({ addresses: addressesOfPod(1) });
  });

  test("an address that comes later is asked for then", () => {
    const run = scenario(pod(1, { addresses: [] }));
    expect(run.feed(veth(1, { addresses: [] }))).toEqual([]);
    expect(wantedWorkload(run.state, "uid-1")).toEqual({ kind: "pending", reason: "no address" });
    expect(brief(run.feed(pod(1, { addresses: ["198.18.1.11"] })))).toEqual(["workload/uid-1 apply"]);
    expect(brief(run.feed(pod(1)))).toEqual(["workload/uid-1 apply"]);
  });

  test("a new sandbox of the same pod is asked for anew, and its end leaves the redirection of the new one alone", () => {
    const run = scenario(pod(1), veth(1));
    const [intent] = run.feed(veth(1, { containerId: "container-1b", netnsInode: 2001, hostIfIndex: 201 }));
    expect(intent?.data.spec).toMatchObject({ interface: { netnsInode: 2001, hostIndex: 201 } });
    expect(run.feed(vethGone(1))).toEqual([]);
  });

  test("a namespace that joins or leaves takes its pods along, and no others", () => {
    const elsewhere = [meshNamespace("other"), pod(3, { namespace: "other" }), veth(3, { namespace: "other" })];
    const run = scenario(plainNamespace(), pod(1), veth(1), pod(2), veth(2), ...elsewhere);
    expect(brief(run.feed(meshNamespace()))).toEqual(["workload/uid-1 apply", "workload/uid-2 apply"]);
    run.succeed(workload(1), workload(2), workload(3));
    expect(brief(run.feed(inputs.namespaceRemoved("shop")))).toEqual([
      "workload/uid-1 remove",
      "workload/uid-2 remove",
    ]);
  });
});

describe("unenrolment", () => {
  test.each<[string, EventInput]>([
    ["the pod is gone", inputs.podRemoved("uid-1")],
    ["its sandbox is gone", vethGone(1)],
    ["its veth is gone", inputs.linkChanged({ ifindex: 101, name: "veth1", change: "removed" })],
    ["it has ended", pod(1, { phase: "Succeeded" })],
    ["it opts out", pod(1, { annotations: { "millrace.dev/redirection": "disabled" } })],
    ["its namespace leaves the mesh", plainNamespace()],
  ])("when %s", (_, event) => {
    const run = scenario(pod(1), veth(1));
    run.succeed(workload(1));
    expect(brief(run.feed(event))).toEqual(["workload/uid-1 remove"]);
    run.succeed(workload(1));
    expect(run.state.requested.size).toBe(0);
    expect(run.state.outcomes.size).toBe(0);
  });

  test("is asked for once, however the news of the end come in", () => {
    const run = scenario(pod(1), veth(1));
    const gone = [vethGone(1), inputs.linkChanged({ ifindex: 101, name: "veth1", change: "removed" as const })];
    expect(brief(run.feed(...gone, inputs.podRemoved("uid-1")))).toEqual(["workload/uid-1 remove"]);
  });

  test("another link under the same index is not the pod's", () => {
    const run = scenario(pod(1), veth(1));
    expect(run.feed(inputs.linkChanged({ ifindex: 101, name: "eth7", change: "removed" }))).toEqual([]);
    expect(run.feed(inputs.linkChanged({ ifindex: 101, name: "veth1", change: "added" }))).toEqual([]);
  });

  test("a pod that comes back before its removal is done is asked for again", () => {
    const run = scenario(pod(1), veth(1));
    run.feed(plainNamespace());
    expect(brief(run.feed(meshNamespace()))).toEqual(["workload/uid-1 apply"]);
  });

  test("a state that has seen pods come and go is as small as before", () => {
    const run = scenario();
    for (let index = 1; index <= 50; index++) {
      run.feed(pod(index), veth(index));
      run.succeed(workload(index));
      run.feed(vethGone(index), inputs.podRemoved(`uid-${index}`));
      run.succeed(workload(index));
    }
    const sizes = Object.entries(run.state).flatMap(([name, value]) =>
      value?.size > 0 ? [`${name} ${value.size}`] : [],
    );
    expect(sizes).toEqual(["namespaces 1", "watches 1"]);
  });
});

describe("address conflicts", () => {
  const shared = "198.18.1.11";

  test("the pod whose interface was announced last has the address, the other keeps the rest", () => {
    const run = scenario(pod(1), veth(1), pod(2, { addresses: [shared] }));
    const intents = run.feed(veth(2, { addresses: [shared] }));
    expect(brief(intents)).toEqual(["workload/uid-1 apply", "workload/uid-2 apply"]);
    expect(intents.map(({ data }) => data.spec)).toMatchObject([
      { addresses: ["2001:2:0:1::b"] },
      { addresses: [shared] },
    ]);
    expect(wantedWorkload(run.state, "uid-1")).toMatchObject({ conflicts: [{ address: shared, owner: "uid-2" }] });
  });

  test("it comes back when the other one goes", () => {
    const run = scenario(pod(1), veth(1), pod(2, { addresses: [shared] }), veth(2, { addresses: [shared] }));
    const intents = run.feed(vethGone(2));
    expect(brief(intents)).toEqual(["workload/uid-1 apply", "workload/uid-2 remove"]);
    expect(intents[0]?.data.spec).toMatchObject({ addresses: addressesOfPod(1) });
  });

  test("a pod without any address left keeps its redirection: what it sends is still captured", () => {
    const run = scenario(
      pod(1, { addresses: [shared] }),
      veth(1, { addresses: [shared] }),
      pod(2, { addresses: [shared] }),
    );
    const intents = run.feed(veth(2, { addresses: [shared] }));
    expect(intents.map(({ data }) => [data.action, data.spec])).toMatchObject([
      ["apply", { uid: "uid-1", addresses: [] }],
      ["apply", { uid: "uid-2", addresses: [shared] }],
    ]);
  });

  test("a stale status does not take an address from the interface that carries it", () => {
    const run = scenario(pod(2, { addresses: [shared] }), veth(2, { addresses: [shared] }));
    // Pod 1 had the address before its sandbox was replaced; the API still says so.
    run.feed(pod(1, { addresses: [shared] }), veth(1, { addresses: ["198.18.1.99"] }));
    expect(run.state.requested.get(workload(1))?.spec).toMatchObject({ addresses: ["198.18.1.99"] });
    expect(run.state.requested.get(workload(2))?.spec).toMatchObject({ addresses: [shared] });
  });

  test("a pod that is no member takes its address as well; one that has ended does not", () => {
    const run = scenario(pod(1), veth(1), pod(2, { namespace: "plain" }), plainNamespace("plain"));
    run.feed(veth(2, { addresses: [shared], namespace: "plain" }));
    expect(run.state.requested.get(workload(1))?.spec).toMatchObject({ addresses: ["2001:2:0:1::b"] });
    run.feed(pod(2, { namespace: "plain", phase: "Succeeded" }));
    expect(run.state.requested.get(workload(1))?.spec).toMatchObject({ addresses: addressesOfPod(1) });
  });
});

describe("the node", () => {
  test("its addresses are what the kernel and Kubernetes say together", () => {
    const run = new Scenario();
    run.feed(started());
    expect(brief(run.feed(inputs.hostAddresses(["198.19.0.1"])))).toEqual(["node use-node"]);
    const [intent] = run.feed(inputs.nodeObserved({ name: "n1", addresses: ["198.19.0.1", "198.18.7.7"] }));
    expect(intent?.data.spec).toEqual({ addresses: ["198.18.7.7", "198.19.0.1"] });
    expect(run.feed(inputs.nodeObserved({ name: "n2", addresses: ["198.18.8.8"] }))).toEqual([]);
  });
});

describe("trying again", () => {
  test("a retry asks for the same again, with the retry as its cause", () => {
    const run = scenario(pod(1), veth(1));
    run.fail(workload(1));
    const [intent] = run.feed({ type: "retry.due", subject: workload(1), data: { attempt: 2, delayMs: 100 } });
    expect(intent?.data).toMatchObject({ action: "apply", cause: run.state.seq - 1 });
    expect(run.state.outcomes.get(workload(1))).toMatchObject({
      state: "pending",
      attempt: 1,
      error: { code: "EBUSY" },
    });
    run.succeed(workload(1));
    expect(run.state.outcomes.get(workload(1))).not.toHaveProperty("error");
  });

  test("a retry of what is no longer wanted asks for nothing", () => {
    const run = scenario(pod(1), veth(1));
    run.feed(plainNamespace());
    run.succeed(workload(1));
    expect(run.feed({ type: "retry.due", subject: workload(1), data: { attempt: 2, delayMs: 100 } })).toEqual([]);
  });

  test("a failed removal is tried again", () => {
    const run = scenario(pod(1), veth(1));
    run.feed(inputs.podRemoved("uid-1"));
    run.fail(workload(1));
    const retry = { type: "retry.due", subject: workload(1), data: { attempt: 2, delayMs: 100 } } as const;
    expect(brief(run.feed(retry))).toEqual(["workload/uid-1 remove"]);
  });

  test("drift asks for the same again, on any subject", () => {
    const run = scenario(inputs.hostAddresses(["198.19.0.1"]), proxyPod(2), veth(2), pod(1), veth(1));
    run.succeed("node", "proxies", workload(1));
    expect(brief(run.feed(...["node", "proxies", workload(1)].map((subject) => drift("missing", subject))))).toEqual([
      "node use-node",
      "proxies use-proxies",
      "workload/uid-1 apply",
    ]);
  });

  test("a redirection that nobody asked for is removed", () => {
    const run = scenario(pod(1, { hostNetwork: true }));
    expect(brief(run.feed(drift("not wanted")))).toEqual(["workload/uid-1 remove"]);
  });

  test("an outcome of an intent that was replaced says nothing about the new one", () => {
    const run = scenario(pod(1), veth(1));
    const generation = run.state.seq;
    run.feed(pod(1, { addresses: [...addressesOfPod(1), "198.18.1.77"] }));
    const outcome = { action: "apply" as const, generation, durationMs: 1, attempt: 1 };
    run.feed({ type: "redirection.applied", subject: workload(1), data: outcome });
    expect(run.state.outcomes.get(workload(1))?.state).toBe("pending");
  });
});

describe("after a restart", () => {
  function restarted(): Scenario {
    const run = scenario(pod(1), veth(1), pod(2), veth(2));
    run.succeed(workload(1), workload(2));
    expect(run.feed(started())).toEqual([]);
    return run;
  }

  test("a redirection stays until the pod is seen, and is asked for once more then", () => {
    const run = restarted();
    expect(run.feed(pod(1), meshNamespace())).toEqual([]);
    expect(brief(run.feed(veth(1)))).toEqual(["workload/uid-1 apply"]);
  });

  test("one whose interface is not found again stays", () => {
    const run = restarted();
    expect(brief(run.feed(meshNamespace(), pod(1), pod(2), synced))).toEqual([]);
    expect(brief(run.feed(vethGone(1)))).toEqual(["workload/uid-1 remove"]);
  });

  test("one whose pod went away meanwhile is removed with the first list", () => {
    const run = restarted();
    expect(brief(run.feed(meshNamespace(), pod(1), synced))).toEqual(["workload/uid-2 remove"]);
  });

  test("one whose pod is certainly no member is removed at once", () => {
    const run = restarted();
    expect(brief(run.feed(pod(1, { phase: "Succeeded" })))).toEqual(["workload/uid-1 remove"]);
  });

  test("one that has drifted is not asked for on the word of the run before", () => {
    const run = restarted();
    expect(run.feed(drift("missing"))).toEqual([]);
  });
});

describe("order", { timeout: 30_000 }, () => {
  // Each list is one source, in its own order; between sources, anything can happen.
  const sources: EventInput[][] = [
    [plainNamespace(), meshNamespace()],
    [meshNamespace("other"), plainNamespace("other")],
    [meshNamespace("gone"), inputs.namespaceRemoved("gone")],
    [inputs.hostAddresses(["198.19.0.1"]), inputs.hostAddresses(["198.19.0.1", "198.19.0.2"])],
    [inputs.nodeObserved({ name: "n1", addresses: ["198.19.0.1"] })],
    [synced],
    [pod(1, { addresses: [], ready: false, phase: "Pending" }), pod(1)],
    [veth(1)],
    [pod(2), inputs.podRemoved("uid-2")],
    [veth(2), vethGone(2)],
    [pod(3, { namespace: "other" })],
    [veth(3, { namespace: "other" })],
    [pod(4), pod(4, { phase: "Succeeded" })],
    [veth(4)],
    [pod(5, { annotations: { "ambient.istio.io/redirection": "disabled" } }), pod(5)],
    [veth(5), veth(5, { containerId: "container-5b", netnsInode: 2005 })],
    [pod(6, { namespace: "gone" })],
    [veth(6, { namespace: "gone" })],
    [proxyPod(7), proxyPod(7, { terminating: true, ready: false }), inputs.podRemoved("uid-7")],
    [veth(7), vethGone(7)],
    [proxyPod(8, { ready: false }), proxyPod(8)],
    [veth(8)],
  ];

  test("150 orders of the same events end in the same", () => {
    const reference = new Scenario();
    reference.feed(started(), ...sources.flat());
    const expected = wantedSet(reference.state);
    expect(Object.keys(expected)).toEqual(["node", "proxies", workload(1), workload(5)]);
    for (let seed = 1; seed <= 150; seed++) {
      const run = new Scenario();
      run.feed(started(), ...interleave(sources, seeded(seed)));
      expect(wantedSet(run.state), `seed ${seed}`).toEqual(expected);
    }
  });

  test("also when a restart falls anywhere in between and everything is told again", () => {
    const reference = new Scenario();
    reference.feed(started(), ...sources.flat());
    const again = sources.filter((source) => source[0] !== synced).flatMap((source) => source.slice(-1));
    for (let seed = 1; seed <= 100; seed++) {
      const random = seeded(seed);
      const order = interleave(sources, random);
      const run = new Scenario();
      run.feed(started(), ...order.slice(0, Math.floor(random() * order.length)));
      run.feed(
        started(),
        ...interleave(
          again.map((input) => [input]),
          random,
        ),
        synced,
      );
      expect(wantedSet(run.state), `seed ${seed}`).toEqual(wantedSet(reference.state));
    }
  });
});

describe("cost", () => {
  /** How often collections of the state are read or written while one input is worked on, on a node of so many pods. */
  function operations(pods: number, input: EventInput): number {
    const run = scenario(inputs.hostAddresses(["198.19.0.1"]), proxyPod(0), veth(0));
    for (let index = 1; index <= pods; index++) run.feed(pod(index), veth(index));
    let count = 0;
    const counted = <T extends object>(target: T): T =>
      new Proxy(target, {
        get(object, property) {
          const value = Reflect.get(object, property, object);
          if (typeof value !== "function") return value;
          return (...args: unknown[]) => {
            // A loop over a whole collection costs its size.
            const whole = [
              "forEach",
              "map",
              "filter",
              "toArray",
              "keySeq",
              "valueSeq",
              "some",
              Symbol.iterator,
              "values",
              "entries",
            ];
            count += whole.includes(property) ? Math.max(1, Reflect.get(object, "size", object) as number) : 1;
            const result = value.apply(object, args);
            return typeof result === "object" && result !== null && "size" in result && "remove" in result
              ? counted(result)
              : result;
          };
        },
      });
    const watched = Object.fromEntries(
      Object.entries(run.state).map(([name, value]) => [name, value?.size === undefined ? value : counted(value)]),
    );
    step(watched as unknown as typeof run.state, input, "2026-01-01T00:00:00.000Z");
    return count;
  }

  test.each<[string, EventInput]>([
    ["a pod that changes", pod(5, { addresses: ["198.18.99.1"] })],
    ["a pod that goes", inputs.podRemoved("uid-5")],
    ["an interface that goes", vethGone(5)],
    ["a link that goes", inputs.linkChanged({ ifindex: 105, name: "veth5", change: "removed" })],
    ["a proxy that changes", proxyPod(0, { ready: false })],
    ["a retry", { type: "retry.due", subject: workload(5), data: { attempt: 2, delayMs: 1 } }],
    [
      "an outcome",
      {
        type: "redirection.applied",
        subject: workload(5),
        data: { action: "apply", generation: 1, durationMs: 1, attempt: 1 },
      },
    ],
  ])("of %s does not grow with the node", (_, input) => {
    const small = operations(10, input);
    expect(small).toBeGreaterThan(0);
    expect(operations(300, input)).toBe(small);
  });

  test("of a namespace grows with the pods it has, not with the others", () => {
    const labels = inputs.namespaceObserved({ name: "empty", labels: { "istio.io/dataplane-mode": "ambient" } });
    expect(operations(300, labels)).toBe(operations(10, labels));
  });
});
