import { describe, expect, test } from "vitest";
import type { EventInput } from "../events/event.ts";
import { inputs } from "../events/inputs.ts";
import { brief, proxyPod, Scenario, started, synced, veth, vethGone } from "../testing/scenario.ts";
import { MAX_DRAINING, wantedProxies } from "./proxies.ts";

function scenario(...given: EventInput[]): Scenario {
  const fresh = new Scenario();
  fresh.feed(started(), synced, ...given);
  return fresh;
}

/** Names of the proxies that were last asked for: `ztunnel-2 | ztunnel-1`. */
function asked({ state }: Scenario): string {
  const requested = state.requested.get("proxies");
  if (requested?.action !== "use-proxies") return "nothing";
  const { active, draining } = requested.spec;
  return `${active?.name ?? "none"} | ${draining.map(({ name }) => name).join(" ")}`.trim();
}

describe("the active proxy", () => {
  test("is the newest that is ready, whatever the order they were seen in", () => {
    expect(asked(scenario(proxyPod(1), veth(1), proxyPod(2), veth(2)))).toBe("ztunnel-2 | ztunnel-1");
    expect(asked(scenario(veth(2), proxyPod(2), veth(1), proxyPod(1)))).toBe("ztunnel-2 |");
  });

  test("of the same age: the greater uid", () => {
    const createdAt = "2024-01-01T00:00:00.000Z";
    expect(asked(scenario(proxyPod(2, { createdAt }), veth(2), proxyPod(1, { createdAt }), veth(1)))).toBe(
      "ztunnel-2 |",
    );
  });

  test.each<[string, EventInput[]]>([
    ["not ready", [proxyPod(2, { ready: false }), veth(2)]],
    ["being deleted", [proxyPod(2, { terminating: true }), veth(2)]],
    ["ended", [proxyPod(2, { phase: "Failed" }), veth(2)]],
    ["without an interface", [proxyPod(2)]],
    ["on another node", [proxyPod(2, { nodeName: "n2" }), veth(2)]],
    ["in another namespace", [proxyPod(2, { namespace: "shop" }), veth(2)]],
    ["with another label", [proxyPod(2, { labels: { app: "other" } }), veth(2)]],
    ["on the host's network", [proxyPod(2, { hostNetwork: true }), veth(2)]],
  ])("is none that is %s", (_, newer) => {
    expect(asked(scenario(proxyPod(1), veth(1), ...newer))).toBe("ztunnel-1 |");
    expect(asked(scenario(...newer))).toBe("nothing");
  });

  test("carries what the backend needs", () => {
    const requested = scenario(proxyPod(1), veth(1)).state.requested.get("proxies");
    expect(requested?.spec).toEqual({
      active: {
        uid: "uid-1",
        key: "uid-1/1001/198.18.1.11,2001:2:0:1::b",
        namespace: "istio-system",
        name: "ztunnel-1",
        addresses: ["198.18.1.11", "2001:2:0:1::b"],
        interface: {
          netns: "/run/netns/pod-1",
          netnsInode: 1001,
          name: "eth0",
          mac: "02:00:00:00:00:01",
          hostName: "veth1",
          hostIndex: 101,
        },
      },
      draining: [],
    });
  });

  test("on the host's network is refused with what to do about it", () => {
    const { problems } = wantedProxies(scenario(proxyPod(1, { hostNetwork: true })).state);
    expect(problems).toEqual([
      "istio-system/ztunnel-1: a proxy on the host's network cannot be steered to; run it as an ordinary pod",
    ]);
  });
});

describe("a replaced proxy drains", () => {
  const two = () => scenario(proxyPod(1), veth(1), proxyPod(2), veth(2));

  test("while it terminates, until its pod is gone", () => {
    const run = two();
    expect(brief(run.feed(proxyPod(1, { ready: false, terminating: true })))).toEqual([]);
    expect(brief(run.feed(inputs.podRemoved("uid-1")))).toEqual(["proxies use-proxies"]);
    expect(asked(run)).toBe("ztunnel-2 |");
  });

  test.each<[string, EventInput]>([
    ["its interface was removed", vethGone(1)],
    ["its veth went away", inputs.linkChanged({ ifindex: 101, name: "veth1", change: "removed" })],
    ["it has ended", proxyPod(1, { phase: "Succeeded", ready: false })],
  ])("until %s", (_, event) => {
    const run = two();
    expect(brief(run.feed(event))).toEqual(["proxies use-proxies"]);
    expect(asked(run)).toBe("ztunnel-2 |");
  });

  test("also when there is none to take over", () => {
    const run = scenario(proxyPod(1), veth(1));
    run.feed(proxyPod(1, { ready: false }));
    expect(asked(run)).toBe("none | ztunnel-1");
    run.feed(proxyPod(1));
    expect(asked(run)).toBe("ztunnel-1 |");
  });

  test("a proxy that was never active does not", () => {
    const run = scenario(proxyPod(2), veth(2), proxyPod(1), veth(1));
    expect(asked(run)).toBe("ztunnel-2 |");
  });

  test("newest first, and no more than the data path has room for", () => {
    const run = scenario();
    for (let index = 1; index <= MAX_DRAINING + 3; index++) run.feed(proxyPod(index), veth(index));
    expect(asked(run)).toBe("ztunnel-10 | ztunnel-9 ztunnel-8 ztunnel-7 ztunnel-6 ztunnel-5 ztunnel-4 ztunnel-3");
    run.feed(proxyPod(11), veth(11));
    expect(asked(run)).toBe("ztunnel-11 | ztunnel-10 ztunnel-9 ztunnel-8 ztunnel-7 ztunnel-6 ztunnel-5 ztunnel-4");
  });

  test("one that comes back is active again, and no longer draining", () => {
    const run = two();
    run.feed(proxyPod(2, { ready: false }));
    expect(asked(run)).toBe("ztunnel-1 | ztunnel-2");
    run.feed(proxyPod(2));
    expect(asked(run)).toBe("ztunnel-2 | ztunnel-1");
  });
});

describe("the same pod in a new network namespace", () => {
  const moved = {
    containerId: "container-1b",
    netns: "/run/netns/pod-1b",
    netnsInode: 2001,
    hostIfIndex: 201,
    hostIfName: "veth1b",
  };

  test("is another proxy; the old one drains until its sandbox is gone", () => {
    const run = scenario(proxyPod(1), veth(1));
    run.feed(veth(1, moved));
    const spec = run.state.requested.get("proxies")?.spec;
    expect(spec).toMatchObject({
      active: { interface: { netnsInode: 2001 } },
      draining: [{ interface: { netnsInode: 1001 } }],
    });
    run.feed(vethGone(1));
    expect(run.state.requested.get("proxies")?.spec).toMatchObject({
      active: { interface: { netnsInode: 2001 } },
      draining: [],
    });
  });

  test("an address more makes another key, but nothing to drain", () => {
    const run = scenario(proxyPod(1, { addresses: ["198.18.1.11"] }), veth(1, { addresses: ["198.18.1.11"] }));
    run.feed(proxyPod(1));
    const spec = run.state.requested.get("proxies")?.spec;
    expect(spec).toMatchObject({ active: { key: "uid-1/1001/198.18.1.11,2001:2:0:1::b" }, draining: [] });
  });
});

describe("after a restart of the agent", () => {
  function restarted(): Scenario {
    const run = scenario(proxyPod(1), veth(1), proxyPod(2), veth(2));
    expect(run.feed(started())).toEqual([]);
    return run;
  }

  test("nothing changes before the first list is complete and the proxy in use is found again", () => {
    const run = restarted();
    expect(run.feed(proxyPod(1, { terminating: true }), proxyPod(2), synced, veth(1))).toEqual([]);
    expect(brief(run.feed(veth(2)))).toEqual(["proxies use-proxies"]);
    expect(asked(run)).toBe("ztunnel-2 | ztunnel-1");
  });

  test("a draining proxy stays although its interface is not found again", () => {
    const run = restarted();
    run.feed(proxyPod(1, { terminating: true }), proxyPod(2), veth(2), synced);
    expect(asked(run)).toBe("ztunnel-2 | ztunnel-1");
    run.feed(vethGone(1));
    expect(asked(run)).toBe("ztunnel-2 |");
  });

  test("an older proxy does not take over while the newer one is looked for", () => {
    const run = restarted();
    expect(run.feed(proxyPod(1), proxyPod(2), veth(1), synced)).toEqual([]);
    expect(asked(run)).toBe("ztunnel-2 | ztunnel-1");
  });

  test("a proxy that went away meanwhile is let go with the first list", () => {
    const run = restarted();
    expect(brief(run.feed(synced))).toEqual(["proxies use-proxies"]);
    expect(asked(run)).toBe("none |");
  });

  test("what was asked for before is asked for once more when it is confirmed", () => {
    const run = scenario(proxyPod(1), veth(1));
    run.feed(started());
    expect(brief(run.feed(proxyPod(1), veth(1), synced))).toEqual(["proxies use-proxies"]);
    expect(run.feed(proxyPod(1))).toEqual([]);
  });
});
