import { rmSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Agent } from "./testing/agent.ts";
import { attachments } from "./testing/attachments.ts";
import { NodeBox, proxyOf, workloadOf } from "./testing/node-box.ts";
import { snapshot } from "./testing/snapshot.ts";
import { connect, startEcho } from "./testing/traffic.ts";

let box: NodeBox;
beforeEach(async () => {
  box = await NodeBox.create();
});
afterEach(() => box[Symbol.dispose]());

const workloadDirectories = (lines: string[]) => lines.filter((line) => /\/workloads\/./.test(line));

describe("full maps", () => {
  it("names the map, its size and what to raise, and leaves the pod as it was", async () => {
    const pods = [box.addPod("a"), box.addPod("b")] as const;
    await using agent = await Agent.open(box, { config: { maxMembers: 3, releaseSeconds: 0 } });
    await agent.apply(workloadOf(pods[0]));
    const before = attachments(box);
    await expect(agent.apply(workloadOf(pods[1]))).rejects.toMatchObject({
      code: "ERR_MAP_FULL",
      message: "the map members has room for 3 entries and is full: raise maxMembers and restart the agent",
    });
    expect(attachments(box)).toEqual(before);
    expect(await agent.observe()).toMatchObject({
      problems: [],
      workloads: [
        { uid: "uid-a", state: "complete" },
        { uid: "uid-b", state: "partial", problems: ["nothing of it is enrolled"], addresses: [] },
      ],
      maps: {
        workloads: { entries: 1, max: 1024 },
        members: { entries: 2, max: 3 },
        excluded_ports: { entries: 0, max: 4096 },
        excluded_networks: { entries: 0, max: 4096 },
      },
    });
    await agent.uninstall();
  });

  it("grows by a restart with a larger number, keeping what is enrolled", async () => {
    const pods = [box.addPod("a"), box.addPod("b")] as const;
    {
      await using small = await Agent.open(box, { config: { maxWorkloads: 1, releaseSeconds: 0 } });
      await small.apply(workloadOf(pods[0]));
      await expect(small.apply(workloadOf(pods[1]))).rejects.toMatchObject({ code: "ERR_MAP_FULL" });
    }
    await using large = await Agent.open(box, { config: { maxWorkloads: 2, releaseSeconds: 0 } });
    expect(large.log).toContain("resized a map");
    expect(await large.observe()).toMatchObject({ workloads: [{ uid: "uid-a", state: "complete" }], problems: [] });
    await large.apply(workloadOf(pods[1]));
    await large.uninstall();
  });

  it("does not shrink below what it holds", async () => {
    const pods = [box.addPod("a"), box.addPod("b")] as const;
    {
      await using large = await Agent.open(box, { config: { maxWorkloads: 2 } });
      for (const pod of pods) await large.apply(workloadOf(pod));
    }
    await using small = await Agent.open(box, { config: { maxWorkloads: 1, releaseSeconds: 0 } });
    expect(small.log).toContain("keeps the old one");
    expect(await small.observe()).toMatchObject({ workloads: [{ state: "complete" }, { state: "complete" }] });
    await small.uninstall();
  });
});

it("refuses only the address that another workload holds", async () => {
  const [a, b] = [box.addPod("a"), box.addPod("b")];
  await using agent = await Agent.open(box, { config: { releaseSeconds: 0 } });
  await agent.apply(workloadOf(a));
  const greedy = workloadOf(b, { addresses: [...b.addresses, a.ipv4].sort() });
  await expect(agent.apply(greedy)).rejects.toMatchObject({
    code: "ERR_ADDRESS_IN_USE",
    message: expect.stringMatching(/^test\/b: 198\.18\.1\.11 belongs to workload uid-a/),
  });
  const { workloads } = await agent.observe();
  expect(workloads.map(({ uid, addresses }) => [uid, addresses])).toEqual([
    ["uid-a", [...a.addresses].sort()],
    ["uid-b", [...b.addresses].sort()],
  ]);
  expect(workloads[1]?.problems).toEqual([`address ${a.ipv4} is missing`]);
  await agent.remove("uid-a");
  await agent.apply(greedy);
  expect((await agent.observe()).workloads).toMatchObject([{ uid: "uid-b", state: "complete" }]);
  await agent.uninstall();
});

it("gives an address to its new owner when the old one's interface is gone, removed or not", async () => {
  const [a, b] = [box.addPod("a"), box.addPod("b")];
  await using agent = await Agent.open(box, { config: { releaseSeconds: 0 } });
  await agent.apply(workloadOf(a));
  box.removePod(a);
  await agent.apply(workloadOf(b, { addresses: [a.ipv4, a.ipv6] }));
  await agent.remove("uid-a");
  expect(await agent.observe()).toMatchObject({
    workloads: [{ uid: "uid-b", state: "complete", addresses: [a.ipv4, a.ipv6] }],
    problems: [],
  });
  await agent.uninstall();
});

it("follows changed addresses and a new interface, and sweeps the old ones", async () => {
  const pod = box.addPod("a");
  const other = box.addPod("other");
  await using agent = await Agent.open(box, { config: { releaseSeconds: 0 } });
  await agent.apply(workloadOf(pod));
  await agent.apply(workloadOf(pod, { addresses: [pod.ipv6] }));
  expect((await agent.observe()).workloads).toMatchObject([{ addresses: [pod.ipv6], state: "complete" }]);
  await agent.apply(workloadOf(pod, { interface: other.interface }));
  const observed = await agent.observe();
  expect(observed).toMatchObject({
    workloads: [{ state: "complete", hostIndex: other.interface.hostIndex }],
    problems: [],
  });
  expect(attachments(box).map(({ where }) => where)).toEqual(["node h-other ingress", "node h-other egress"]);
  await agent.uninstall();
});

describe("the drain deadline of an enrolment", () => {
  /** Until when connections from before it pass; 0: none do, and the programs ask no clock. */
  const deadlines = (): number[] => {
    const map = `${box.bpffs}/millrace/v1/maps/workloads`;
    const dump = JSON.parse(box.inside("bpftool", "--json", "map", "dump", "pinned", map));
    return dump.map(({ formatted }: { formatted: { value: { adopt_until_ns: number } } }) => {
      return formatted.value.adopt_until_ns;
    });
  };

  it("is kept by a later enrolment and by a restart", async () => {
    const pod = box.addPod("a");
    {
      await using first = await Agent.open(box, { config: { drainSeconds: 60 } });
      await first.apply(workloadOf(pod));
      const now = Number(process.hrtime.bigint());
      expect(deadlines()).toEqual([expect.any(Number)]);
      expect(Number(deadlines()[0]) - now).toBeGreaterThan(50e9);
      expect(Number(deadlines()[0]) - now).toBeLessThan(60e9);
    }
    const kept = deadlines();
    await using second = await Agent.open(box, { config: { drainSeconds: 60, releaseSeconds: 0 } });
    await second.apply(workloadOf(pod));
    expect(deadlines()).toEqual(kept);
    await second.apply(workloadOf(pod, { enrolExisting: "reset" }));
    expect(deadlines()).toEqual([0]);
    await second.uninstall();
  });

  it("is cleared when it is over, by an agent that was started later as well", async () => {
    const pods = [box.addPod("a"), box.addPod("b")] as const;
    {
      await using first = await Agent.open(box, { config: { drainSeconds: 2 } });
      await first.apply(workloadOf(pods[0]));
      expect(deadlines()).toEqual([expect.any(Number)]);
      expect(deadlines()).not.toEqual([0]);
      await expect.poll(deadlines, { timeout: 20_000, interval: 200 }).toEqual([0]);
      await first.apply(workloadOf(pods[1]));
      expect(deadlines().filter((until) => until > 0)).toHaveLength(1);
    }
    await using second = await Agent.open(box, { config: { drainSeconds: 2, releaseSeconds: 0 } });
    await expect.poll(deadlines, { timeout: 20_000, interval: 200 }).toEqual([0, 0]);
    await second.uninstall();
  });
});

describe("things that are gone", () => {
  it("refuses a pod whose interface or namespace is gone, and leaves nothing of it", async () => {
    const pod = box.addPod("a");
    const workload = workloadOf(pod);
    await using agent = await Agent.open(box);
    const stale = { ...workload.interface, netnsInode: workload.interface.netnsInode + 1 };
    await expect(agent.apply({ ...workload, interface: stale })).rejects.toMatchObject({
      code: "ERR_INTERFACE_GONE",
      message: expect.stringContaining("is another network namespace by now"),
    });
    const renamed = { ...workload.interface, hostName: "h-b" };
    await expect(agent.apply({ ...workload, interface: renamed })).rejects.toMatchObject({
      code: "ERR_INTERFACE_GONE",
    });
    box.removePod(pod);
    await expect(agent.apply(workload)).rejects.toMatchObject({ code: "ERR_INTERFACE_GONE" });
    expect(workloadDirectories(snapshot(box))).toEqual([]);
    await agent.uninstall();
  });

  it.each(["tcx", "clsact"] as const)("clears a pod away that vanished while nobody looked (%s)", async (attach) => {
    const pod = box.addPod("a");
    {
      await using first = await Agent.open(box, { config: { attach } });
      await first.apply(workloadOf(pod));
      box.removePod(pod);
      expect((await first.observe()).workloads).toMatchObject([
        { uid: "uid-a", state: "partial", problems: [`interface ${pod.interface.hostIndex} is gone`] },
      ]);
    }
    await using second = await Agent.open(box, { config: { attach } });
    expect(await second.observe()).toMatchObject({ workloads: [], problems: [] });
    expect(workloadDirectories(snapshot(box))).toEqual([]);
    await second.uninstall();
  });

  it("keeps the active proxy when the new one cannot be prepared", async () => {
    const [one, two] = [box.addPod("one"), box.addPod("two")];
    await using agent = await Agent.open(box);
    await agent.useProxies({ active: proxyOf(one), draining: [] });
    const next = proxyOf(two);
    box.removePod(two);
    await expect(agent.useProxies({ active: next, draining: [proxyOf(one)] })).rejects.toMatchObject({
      code: "ERR_INTERFACE_GONE",
    });
    expect((await agent.observe()).proxies).toMatchObject([
      { key: proxyOf(one).key, role: "active", state: "complete" },
    ]);
    await agent.uninstall();
  });

  it("lets go of a draining proxy whose pod is gone", async () => {
    const [one, two] = [box.addPod("one"), box.addPod("two")];
    await using agent = await Agent.open(box);
    await agent.useProxies({ active: proxyOf(one), draining: [] });
    await agent.useProxies({ active: proxyOf(two), draining: [proxyOf(one)] });
    expect((await agent.observe()).proxies).toMatchObject([
      { key: proxyOf(one).key, role: "draining", state: "complete" },
      { key: proxyOf(two).key, role: "active", state: "complete" },
    ]);
    const gone = proxyOf(one);
    box.removePod(one);
    await agent.useProxies({ active: proxyOf(two), draining: [gone] });
    expect(await agent.observe()).toMatchObject({
      proxies: [{ key: proxyOf(two).key, state: "complete" }],
      problems: [],
    });
    await agent.uninstall();
  });
});

it("ends a redirection whose directories were removed", async () => {
  const pod = box.addPod("a");
  await using agent = await Agent.open(box, { config: { attach: "clsact", releaseSeconds: 0 } });
  await agent.useProxies({ draining: [] });
  await agent.apply(workloadOf(pod));
  rmSync(`${box.visibleBpffs}/millrace/v1/workloads`, { recursive: true });
  await agent.remove("uid-a");
  expect((await agent.observe()).problems).toEqual([
    "app_inbound on h-a is left over",
    "app_outbound on h-a is left over",
    "entry in members for 198.18.1.11 is left over",
    "entry in members for 2001:2:0:1::b is left over",
    "entry in workloads for h-a is left over",
  ]);
  await agent.useProxies({ draining: [] });
  expect(attachments(box)).toEqual([]);
  expect((await agent.observe()).problems).toEqual([]);
  await agent.uninstall();
});

it("refuses a second workload on an interface, and the first stays captured", async () => {
  const pod = box.addPod("a");
  await using agent = await Agent.open(box);
  await agent.apply(workloadOf(pod));
  await expect(agent.apply({ ...workloadOf(pod), uid: "uid-twin" })).rejects.toMatchObject({
    code: "ERR_INTERFACE_IN_USE",
    message: expect.stringContaining("uid-a"),
  });
  expect((await agent.observe()).workloads).toMatchObject([
    { uid: "uid-a", state: "complete" },
    { uid: "uid-twin", state: "partial" },
  ]);
  await agent.remove("uid-a");
  await agent.apply({ ...workloadOf(pod), uid: "uid-twin" });
  expect(await agent.observe()).toMatchObject({ workloads: [{ uid: "uid-twin", state: "complete" }], problems: [] });
  await agent.uninstall();
});

it("keeps a member captured whose directories were lost while no agent ran, until it is applied again", async () => {
  const pod = box.addPod("a");
  {
    await using first = await Agent.open(box, { config: { attach: "clsact" } });
    await first.apply(workloadOf(pod));
  }
  const before = attachments(box);
  rmSync(`${box.visibleBpffs}/millrace`, { recursive: true });
  await using agent = await Agent.open(box, { config: { attach: "clsact" } });
  await agent.useProxies({ draining: [] });
  expect(before).toHaveLength(2);
  expect(attachments(box)).toHaveLength(2);
  await agent.apply(workloadOf(pod));
  await agent.useProxies({ draining: [] });
  expect(await agent.observe()).toMatchObject({ workloads: [{ uid: "uid-a", state: "complete" }], problems: [] });
  await agent.uninstall();
  expect(attachments(box)).toEqual([]);
});

it.each(["tcx", "clsact"] as const)(
  "keeps a member captured whose entries were lost while no agent ran (%s)",
  async (attach) => {
    const pod = box.addPod("a");
    const plain = box.addPod("plain");
    await using _echo = await startEcho(plain, 8080);
    const config = { attach, releaseSeconds: 0 };
    {
      await using first = await Agent.open(box, { config });
      await first.apply(workloadOf(pod));
      expect(await connect(pod, plain.ipv4, 8080, 300)).toBe("ETIMEDOUT");
    }
    const before = attachments(box).map(({ where, linkId }) => [where, linkId]);
    rmSync(`${box.visibleBpffs}/millrace/v1/maps/workloads`);
    await using agent = await Agent.open(box, { config });
    // Without a proxy, what is captured goes nowhere.
    expect(await connect(pod, plain.ipv4, 8080, 300)).toBe("ETIMEDOUT");
    expect(attachments(box).map(({ where, linkId }) => [where, linkId])).toEqual(before);
    expect(agent.log).toContain("a workload's entry was lost");
    await agent.apply(workloadOf(pod));
    expect(await agent.observe()).toMatchObject({ workloads: [{ uid: "uid-a", state: "complete" }], problems: [] });
    await agent.uninstall();
    expect(attachments(box)).toEqual([]);
  },
);

it("refuses a proxy in the node's own network", async () => {
  const pod = box.addPod("a");
  await using agent = await Agent.open(box);
  const node = { ...pod.interface, netns: `/run/netns/${box.netns}`, netnsInode: inodeOf(box) };
  await expect(agent.useProxies({ active: { ...proxyOf(pod), interface: node }, draining: [] })).rejects.toMatchObject({
    code: "ERR_HOST_NETWORK_PROXY",
  });
  await agent.uninstall();
});

function inodeOf(of: NodeBox): number {
  return Number(/net:\[(\d+)\]/.exec(of.inside("readlink", "/proc/self/ns/net"))?.[1]);
}
