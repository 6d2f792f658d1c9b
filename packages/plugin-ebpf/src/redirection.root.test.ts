import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { Agent } from "./testing/agent.ts";
import { attachments } from "./testing/attachments.ts";
import { type BoxPod, NodeBox, proxyOf, workloadOf } from "./testing/node-box.ts";
import { runIn } from "./testing/run.ts";
import { snapshot } from "./testing/snapshot.ts";

describe.each(["tcx", "clsact"] as const)("redirection attached by %s", (attach) => {
  let box: NodeBox;
  let member: BoxPod;
  let proxy: BoxPod;
  let clean: string[];

  beforeAll(async () => {
    box = await NodeBox.create();
    member = box.addPod("member");
    proxy = box.addPod("proxy");
  });
  afterAll(() => box[Symbol.dispose]());
  beforeEach(() => {
    clean = snapshot(box);
  });

  it("is complete after apply, idempotent, and leaves no trace after uninstall", async () => {
    await using agent = await Agent.open(box, { config: { attach } });
    await agent.useNode({ addresses: ["198.18.1.1", "fe80::1"] });
    await agent.useProxies({ active: proxyOf(proxy), draining: [] });
    await agent.apply(workloadOf(member));
    const observed = await agent.observe();
    expect(observed).toMatchObject({
      workloads: [
        {
          uid: "uid-member",
          state: "complete",
          problems: [],
          foreign: [],
          addresses: [...member.addresses].sort(),
          hostIndex: member.interface.hostIndex,
        },
      ],
      proxies: [{ key: proxyOf(proxy).key, role: "active", state: "complete", problems: [] }],
      problems: [],
      nodeAddresses: ["198.18.1.1", "fe80::1"],
    });
    expect(Object.keys(observed.counters)).toContain("app_outbound.captured");

    const installed = snapshot(box);
    expect(installed).not.toEqual(clean);
    await agent.apply(workloadOf(member));
    await agent.useProxies({ active: proxyOf(proxy), draining: [] });
    await agent.useNode({ addresses: ["198.18.1.1", "fe80::1"] });
    expect(snapshot(box)).toEqual(installed);

    await agent.uninstall();
    expect(snapshot(box)).toEqual(clean);
  });

  it("removes a workload and nothing else, and removing it again is success", async () => {
    await using agent = await Agent.open(box, { config: { attach } });
    await agent.useProxies({ active: proxyOf(proxy), draining: [] });
    const before = snapshot(box).filter((line) => !line.endsWith("/workloads"));
    await agent.apply(workloadOf(member));
    await agent.remove("uid-member");
    await agent.remove("uid-member");
    expect(snapshot(box).filter((line) => !line.endsWith("/workloads"))).toEqual(before);
    expect((await agent.observe()).workloads).toEqual([]);
    await agent.uninstall();
    expect(snapshot(box)).toEqual(clean);
  });

  it("reads nothing half made: a workload that is being applied is read when it is done", async () => {
    const members = [member, ...["b", "c", "d", "e"].map((name) => box.addPod(name))];
    await using agent = await Agent.open(box, { config: { attach } });
    await agent.useProxies({ active: proxyOf(proxy), draining: [] });
    const found = await agent.applyAndRead(members.map((pod) => workloadOf(pod)));
    const shown = found.map(({ uid, state, problems, addresses }) => ({ uid, state, problems, addresses }));
    expect(shown).toEqual(
      members.map(({ name, addresses }) => {
        return { uid: `uid-${name}`, state: "complete", problems: [], addresses: [...addresses].sort() };
      }),
    );
    await agent.uninstall();
    for (const pod of members.slice(1)) box.removePod(pod);
    expect(snapshot(box)).toEqual(clean);
  });

  it("takes the proxy away again, with its rules, routes and sysctls", async () => {
    await using agent = await Agent.open(box, { config: { attach } });
    await agent.useProxies({ active: proxyOf(proxy), draining: [] });
    await agent.useProxies({ draining: [proxyOf(proxy)] });
    expect((await agent.observe()).proxies).toMatchObject([{ role: "draining", state: "complete" }]);
    await agent.useProxies({ draining: [] });
    expect((await agent.observe()).proxies).toEqual([]);
    const ofProxy = (lines: string[]) =>
      lines.filter((line) => line.startsWith("node-proxy:") || line.includes("h-proxy"));
    expect(ofProxy(snapshot(box))).toEqual(ofProxy(clean));
    await agent.uninstall();
  });

  it("keeps the source ports of a proxy and of the one after it apart, and puts both back", async () => {
    const next = box.addPod("next");
    const ranges = () =>
      [proxy, next].map(({ netns }) =>
        runIn(netns, "sysctl", "-n", "net.ipv4.ip_local_port_range").trim().split(/\s+/),
      );
    const whole = ranges();
    await using agent = await Agent.open(box, { config: { attach } });
    await agent.useProxies({ active: proxyOf(proxy), draining: [] });
    await agent.useProxies({ active: proxyOf(next), draining: [proxyOf(proxy)] });
    const [[low, middle], [above, high]] = ranges() as [[string, string], [string, string]];
    expect([[low, high]]).toEqual(whole.slice(0, 1));
    expect(Number(above)).toBe(Number(middle) + 1);
    await agent.useProxies({ active: proxyOf(next), draining: [] });
    expect(ranges()).toEqual([
      [low, high],
      [above, high],
    ]);
    await agent.uninstall();
    expect(ranges()).toEqual(whole);
  });

  it("is adopted by the next process as it is: same programs, same links", async () => {
    {
      await using first = await Agent.open(box, { config: { attach } });
      await first.useNode({ addresses: ["198.18.1.1"] });
      await first.useProxies({ active: proxyOf(proxy), draining: [] });
      await first.apply(workloadOf(member));
    }
    const kept = attachments(box);
    expect(kept).toHaveLength(4);
    const installed = snapshot(box);
    await using second = await Agent.open(box, { config: { attach } });
    expect(attachments(box)).toEqual(kept);
    expect(await second.observe()).toMatchObject({
      workloads: [{ uid: "uid-member", state: "complete" }],
      proxies: [{ role: "active", state: "complete" }],
      problems: [],
      nodeAddresses: ["198.18.1.1"],
    });
    await second.useProxies({ active: proxyOf(proxy), draining: [] });
    await second.apply(workloadOf(member));
    expect(attachments(box)).toEqual(kept);
    expect(snapshot(box)).toEqual(installed);
    await second.uninstall();
    expect(snapshot(box)).toEqual(clean);
  });

  it("tells the next process which proxies it sends to, and changes nothing by that", async () => {
    const next = box.addPod("later");
    {
      await using first = await Agent.open(box, { config: { attach } });
      expect(await first.usedProxies()).toEqual([]);
      await first.useProxies({ active: proxyOf(proxy), draining: [] });
      await first.useProxies({ active: proxyOf(next), draining: [proxyOf(proxy)] });
    }
    const installed = snapshot(box);
    await using second = await Agent.open(box, { config: { attach } });
    const used = (pod: BoxPod, role: string) => {
      const { key, name, interface: podInterface } = proxyOf(pod);
      return { key, name, role, interface: podInterface };
    };
    expect(await second.usedProxies()).toEqual([used(next, "active"), used(proxy, "draining")]);
    expect(snapshot(box)).toEqual(installed);
    await second.useProxies({ draining: [proxyOf(proxy)] });
    expect(await second.usedProxies()).toEqual([used(proxy, "draining")]);
    await second.uninstall();
    expect(snapshot(box).filter((line) => !line.includes("later"))).toEqual(clean);
  });

  it("changes to the other way of attaching without losing anything", async () => {
    const other = attach === "tcx" ? "clsact" : "tcx";
    {
      await using first = await Agent.open(box, { config: { attach: other } });
      await first.useProxies({ active: proxyOf(proxy), draining: [] });
      await first.apply(workloadOf(member));
    }
    await using second = await Agent.open(box, { config: { attach } });
    await second.useProxies({ active: proxyOf(proxy), draining: [] });
    await second.apply(workloadOf(member));
    expect(attachments(box).map(({ mode, where }) => [mode, where])).toEqual([
      [attach, "node h-member ingress"],
      [attach, "node h-member egress"],
      [attach, "node h-proxy ingress"],
      [attach, "node-proxy eth0 ingress"],
    ]);
    expect(await second.observe()).toMatchObject({
      workloads: [{ state: "complete" }],
      proxies: [{ state: "complete" }],
    });
    await second.uninstall();
    expect(snapshot(box)).toEqual(clean);
  });
});
