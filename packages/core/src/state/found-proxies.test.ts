import { describe, expect, test } from "vitest";
import { isNews } from "../decide/is-news.ts";
import type { EventData, EventInput } from "../events/event.ts";
import { inputs } from "../events/inputs.ts";
import { proxyKey } from "../events/proxy-key.ts";
import { replayed } from "../testing/replayed.ts";
import { addressesOfPod, proxyPod, Scenario, started, synced, veth } from "../testing/scenario.ts";

type Found = EventData["proxies.found"]["proxies"][number];

/** What a backend notes of the `index`th pod. */
function noted(index: number, role: Found["role"]): Found {
  const { netns, netnsInode, ifName, mac, hostIfName, hostIfIndex } = veth(index).data;
  return {
    key: proxyKey(`uid-${index}`, netnsInode, addressesOfPod(index)),
    role,
    name: `ztunnel-${index}`,
    interface: { netns, netnsInode, name: ifName, mac, hostName: hostIfName, hostIndex: hostIfIndex },
  };
}

/** Names of the proxies that were last asked for: `ztunnel-2 | ztunnel-1`. */
function asked({ state }: Scenario): string {
  const requested = state.requested.get("proxies");
  if (requested?.action !== "use-proxies") return "nothing";
  const { active, draining } = requested.spec;
  return `${active?.name ?? "none"} | ${draining.map(({ name }) => name).join(" ")}`.trim();
}

function fed(...given: EventInput[]): Scenario {
  const run = new Scenario();
  run.feed(...given);
  return run;
}

const old = proxyPod(1, { ready: false });
const both = [old, veth(1), proxyPod(2), veth(2)];
const found = inputs.proxiesFound([noted(2, "active"), noted(1, "draining")]);

describe("an agent that has lost its log", () => {
  test("asks for what one with its log asks for", () => {
    const before = fed(started(), synced, proxyPod(1), veth(1), old, proxyPod(2), veth(2));
    before.feed(started(), ...both, synced);
    const after = fed(started(), found, ...both, synced);
    expect(asked(after)).toBe("ztunnel-2 | ztunnel-1");
    expect(after.state.requested.get("proxies")?.spec).toEqual(before.state.requested.get("proxies")?.spec);
  });

  test("does not forget the active proxy that another one has replaced meanwhile", () => {
    const run = fed(started(), found, ...both, proxyPod(3), veth(3), synced);
    expect(asked(run)).toBe("ztunnel-3 | ztunnel-2 ztunnel-1");
  });

  test("does not flip to an older one because that was seen first", () => {
    const run = fed(started(), found);
    expect(run.feed(proxyPod(1), veth(1))).toEqual([]);
    run.feed(proxyPod(2), veth(2), synced);
    expect(asked(run)).toBe("ztunnel-2 | ztunnel-1");
  });

  test("lets go of what is gone when everything was listed", () => {
    const run = fed(started(), found);
    expect(asked(run)).toBe("ztunnel-2 | ztunnel-1");
    run.feed(proxyPod(2), veth(2), synced);
    expect(asked(run)).toBe("ztunnel-2 |");
    expect(asked(fed(started(), found, synced))).toBe("none |");
  });
});

describe("an agent that has lost the end of its log", () => {
  test("adds what it does not know, in the order in which they were in use", () => {
    const run = fed(started(), synced, proxyPod(1), veth(1), started());
    const late = inputs.proxiesFound([noted(3, "active"), noted(2, "draining"), noted(1, "draining")]);
    run.feed(late, proxyPod(2, { ready: false }), veth(2), proxyPod(3), veth(3), old, veth(1), synced);
    expect(asked(run)).toBe("ztunnel-3 | ztunnel-1 ztunnel-2");
  });

  test("goes on with what it knows: that may be ahead of the kernel", () => {
    const run = fed(started(), synced, proxyPod(1), veth(1), old, proxyPod(2), veth(2), started());
    const behind = inputs.proxiesFound([noted(1, "active")]);
    expect(isNews(run.state, behind)).toBe(false);
    run.feed(behind);
    expect(asked(run)).toBe("ztunnel-2 | ztunnel-1");
  });
});

test("a proxy whose note was lost is nobody's", () => {
  const run = fed(started(), inputs.proxiesFound([{ ...noted(1, "active"), key: "unknown" }]));
  expect(asked(run)).toBe("nothing");
});

test("what was found is an input: a replay decides the same by it", () => {
  const run = fed(started(), found, ...both, synced);
  expect(replayed(run.records).differences).toEqual([]);
  const without = run.records.filter(({ type }) => type !== "proxies.found");
  expect(replayed(without).differences).not.toEqual([]);
});
