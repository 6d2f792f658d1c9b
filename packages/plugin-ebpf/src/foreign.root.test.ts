import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Agent } from "./testing/agent.ts";
import { attachments } from "./testing/attachments.ts";
import { foreignProgram, foreignTcx } from "./testing/foreign.ts";
import { type BoxPod, NodeBox, proxyOf, workloadOf } from "./testing/node-box.ts";
import { runIn } from "./testing/run.ts";
import { snapshot } from "./testing/snapshot.ts";

let box: NodeBox;
let member: BoxPod;
let proxy: BoxPod;
beforeEach(async () => {
  box = await NodeBox.create();
  member = box.addPod("member");
  proxy = box.addPod("proxy");
});
afterEach(() => box[Symbol.dispose]());

const tc = (...args: string[]) => runIn(box.netns, "tc", ...args);
const filters = (direction: string) => tc("filter", "show", "dev", "h-member", direction);

describe("a clsact filter of somebody else at priority 1, handle 1", () => {
  beforeEach(() => {
    using foreign = foreignProgram(box, "foreign");
    tc("qdisc", "add", "dev", "h-member", "clsact");
    for (const direction of ["ingress", "egress"]) {
      tc(
        "filter",
        "add",
        "dev",
        "h-member",
        direction,
        "prio",
        "1",
        "handle",
        "1",
        "bpf",
        "direct-action",
        "object-pinned",
        foreign.pin,
      );
    }
  });

  it.each(["tcx", "clsact"] as const)("stays where it is, behind ours attached by %s", async (attach) => {
    const before = snapshot(box);
    await using agent = await Agent.open(box, { config: { attach } });
    await agent.apply(workloadOf(member));
    expect((await agent.observe()).workloads).toMatchObject([{ state: "complete", foreign: [] }]);
    for (const direction of ["ingress", "egress"]) expect(filters(direction)).toMatch(/pref 1 bpf .*handle 0x1 /);
    await agent.remove("uid-member");
    await agent.uninstall();
    expect(snapshot(box)).toEqual(before);
  });

  it("is reported when it runs before ours, and ours goes first again once it is gone", async () => {
    await using agent = await Agent.open(box, { config: { attach: "clsact", clsact: { priority: 5 } } });
    await agent.apply(workloadOf(member));
    expect((await agent.observe()).workloads).toMatchObject([
      {
        state: "partial",
        problems: [],
        foreign: [
          {
            kind: "clsact filter",
            where: "h-member egress, priority 1",
            owner: expect.stringMatching(/^foreign.*, handle 0x1, program id \d+$/),
            effect: "runs before app_inbound and could end the chain",
          },
          { kind: "clsact filter", where: "h-member ingress, priority 1" },
        ],
      },
    ]);
    for (const direction of ["ingress", "egress"]) tc("filter", "del", "dev", "h-member", direction, "prio", "1");
    expect((await agent.observe()).workloads).toMatchObject([{ state: "complete" }]);
    await agent.uninstall();
    expect(tc("qdisc", "show", "dev", "h-member")).toContain("clsact");
  });

  it("is never replaced, even under our own handle", async () => {
    await using agent = await Agent.open(box, { config: { attach: "clsact", clsact: { handle: 1 } } });
    const before = filters("egress");
    await expect(agent.apply(workloadOf(member))).rejects.toMatchObject({
      code: "ERR_FOREIGN_OBJECT",
      message: expect.stringMatching(
        /h-member egress .* foreign.*, handle 0x1, program id \d+. It is left alone; set clsact.handle/,
      ),
    });
    expect(filters("egress")).toBe(before);
    expect((await agent.observe()).problems).toEqual([]);
    await agent.uninstall();
    expect(filters("egress")).toBe(before);
  });
});

it("takes the next priority when ours belongs to another protocol, and says who is ahead", async () => {
  tc("qdisc", "add", "dev", "h-member", "clsact");
  tc(
    "filter",
    "add",
    "dev",
    "h-member",
    "ingress",
    "prio",
    "1",
    "protocol",
    "ip",
    "u32",
    "match",
    "u32",
    "0",
    "0",
    "classid",
    "1:1",
  );
  const before = snapshot(box);
  await using agent = await Agent.open(box, { config: { attach: "clsact" } });
  await agent.apply(workloadOf(member));
  expect(filters("ingress")).toMatch(/pref 2 bpf chain 0 handle 0x4d52 app_outbound/);
  expect((await agent.observe()).workloads).toMatchObject([
    {
      state: "partial",
      problems: [],
      foreign: expect.arrayContaining([expect.objectContaining({ owner: expect.stringMatching(/^u32, /) })]),
    },
  ]);
  await agent.apply(workloadOf(member));
  await agent.uninstall();
  expect(snapshot(box)).toEqual(before);
});

describe("a tcx program of somebody else", () => {
  it("stays behind ours, and both stay when the other goes", async () => {
    await using agent = await Agent.open(box, { config: { attach: "tcx" } });
    const ingress = () => attachments(box).filter(({ where }) => where === "node h-member ingress");
    using foreign = foreignTcx(box, "foreign", member.interface.hostIndex, "last");
    await agent.apply(workloadOf(member));
    expect(ingress().map(({ linkId }) => linkId)).toEqual([expect.any(Number), foreign.linkId]);
    expect((await agent.observe()).workloads).toMatchObject([{ state: "complete", foreign: [] }]);
    await agent.uninstall();
    expect(ingress().map(({ linkId }) => linkId)).toEqual([foreign.linkId]);
  });

  it.each(["tcx", "clsact"] as const)("ahead of ours is reported by name (%s)", async (attach) => {
    await using agent = await Agent.open(box, { config: { attach } });
    await agent.apply(workloadOf(member));
    using foreign = foreignTcx(box, "intruder", member.interface.hostIndex, "first");
    const owner = `intruder, program id ${foreign.programId}`;
    expect((await agent.observe()).workloads).toMatchObject([
      {
        state: "partial",
        problems: [],
        foreign: [{ kind: "tcx program", where: "h-member ingress", owner }],
      },
    ]);
    await agent.uninstall();
  });

  it("ahead of ours at a proxy is reported, and is no problem that making it anew would mend", async () => {
    await using agent = await Agent.open(box, { config: { attach: "tcx" } });
    await agent.useProxies({ active: proxyOf(proxy), draining: [] });
    using foreign = foreignTcx(box, "intruder", proxy.interface.hostIndex, "first");
    const owner = `intruder, program id ${foreign.programId}`;
    expect((await agent.observe()).proxies).toMatchObject([
      {
        state: "partial",
        problems: [],
        foreign: [{ kind: "tcx program", where: "h-proxy ingress", owner }],
      },
    ]);
    await agent.uninstall();
  });
});

describe("rules and routes of somebody else in the proxy's namespace", () => {
  const inProxy = (...args: string[]) => runIn(proxy.netns, "ip", ...args);

  it.each([
    [
      "a rule at our priority",
      ["rule", "add", "priority", "20000", "fwmark", "0x1", "lookup", "7"],
      /IPv4 rule 20000 \(fwmark 0x1 lookup 7\)/,
    ],
    [
      "the very same rule",
      ["rule", "add", "priority", "20000", "iif", "eth0", "lookup", "15001"],
      /IPv4 rule 20000 \(iif eth0 lookup 15001\)/,
    ],
    ["an IPv6 rule", ["-6", "rule", "add", "priority", "20000", "lookup", "7"], /IPv6 rule 20000 \(lookup 7\)/],
    [
      "a route in our table",
      ["route", "add", "198.18.9.0/24", "dev", "eth0", "table", "15001"],
      /IPv4 route unicast 198\.18\.9\.0\/24/,
    ],
  ])("%s is reported and left alone, and nothing of ours stays", async (_, command, phrase) => {
    inProxy(...command);
    const before = snapshot(box);
    await using agent = await Agent.open(box);
    await expect(agent.useProxies({ active: proxyOf(proxy), draining: [] })).rejects.toMatchObject({
      code: "ERR_FOREIGN_OBJECT",
      message: expect.stringMatching(phrase),
    });
    expect((await agent.observe()).proxies).toEqual([]);
    await agent.uninstall();
    expect(snapshot(box)).toEqual(before);
  });
});

it("leaves a sysctl that somebody else has changed since", async () => {
  const path = "net.ipv4.conf.h-proxy.rp_filter";
  const sysctl = (...args: string[]) => runIn(box.netns, "sysctl", "-n", ...args).trim();
  sysctl("-w", `${path}=1`);
  await using agent = await Agent.open(box);
  await agent.useProxies({ active: proxyOf(proxy), draining: [] });
  expect(sysctl(path)).toBe("2");
  sysctl("-w", `${path}=0`);
  expect((await agent.observe()).proxies).toMatchObject([
    { state: "partial", problems: ["sysctl net/ipv4/conf/h-proxy/rp_filter is 0, not 2"] },
  ]);
  await agent.uninstall();
  expect(sysctl(path)).toBe("0");
  expect(agent.log).toContain("leaving a sysctl that somebody else has changed since");
});
