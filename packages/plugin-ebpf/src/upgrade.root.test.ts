import { rmSync } from "node:fs";
import { attachClsact, attachSkLookup, BpfLink } from "libbpf-ts";
import { openNetns } from "linux-ts";
import { afterEach, beforeEach, expect, it } from "vitest";
import { Agent } from "./testing/agent.ts";
import { attachments } from "./testing/attachments.ts";
import { loadForeign } from "./testing/foreign.ts";
import { type BoxPod, NodeBox, proxyOf, workloadOf } from "./testing/node-box.ts";
import { runIn } from "./testing/run.ts";
import { snapshot } from "./testing/snapshot.ts";

let box: NodeBox;
let member: BoxPod;
let proxy: BoxPod;
let clean: string[];
beforeEach(async () => {
  box = await NodeBox.create();
  [member, proxy] = [box.addPod("member"), box.addPod("proxy")];
  clean = snapshot(box);
});
afterEach(() => box[Symbol.dispose]());

const install = async (attach: "tcx" | "clsact") => {
  await using agent = await Agent.open(box, { config: { attach } });
  await agent.useProxies({ active: proxyOf(proxy), draining: [] });
  await agent.apply(workloadOf(member));
};
const pins = (path: string) => `${box.visibleBpffs}/millrace/v1/${path}`;

/** An earlier version of a program of ours: same name, other instructions. */
const pinEarlier = (name: string, pin: string) => {
  const { object, program } = loadForeign(box, name);
  rmSync(pin);
  program.pin(pin);
  return { object, program };
};

it("brings the programs of tcx links up to date without taking a link off", async () => {
  await install("tcx");
  const links = (list = attachments(box)) => list.map(({ where, linkId }) => [where, linkId]);
  const before = links();
  for (const [name, link, pin] of [
    ["app_outbound", `workloads/uid-member/${member.interface.hostIndex}/ingress`, "programs/app_outbound"],
    ["ztunnel_host_in", "proxies/0/links/host/ingress", "programs/ztunnel_host_in"],
    ["ztunnel_tproxy", "proxies/0/links/inner/ingress", "proxies/0/programs/ztunnel_tproxy"],
  ] as const) {
    const { object, program } = pinEarlier(name, pins(pin));
    using attached = BpfLink.openPinned(pins(link));
    attached.update(program);
    object[Symbol.dispose]();
  }
  await using next = await Agent.open(box, { config: { attach: "tcx" } });
  expect(next.log.match(/replacing a program/g)).toHaveLength(3);
  expect(links()).toEqual(before);
  expect(await next.observe()).toMatchObject({
    workloads: [{ state: "complete" }],
    proxies: [{ state: "complete" }],
    problems: [],
  });
  await next.uninstall();
  expect(snapshot(box)).toEqual(clean);
});

it("brings the programs of clsact filters up to date in their place", async () => {
  await install("clsact");
  {
    const { object, program } = loadForeign(box, "app_outbound");
    using netns = openNetns(`/run/netns/${box.netns}`);
    const place = { netns: netns.fd, ifindex: member.interface.hostIndex, direction: "ingress" } as const;
    attachClsact({ ...place, program, priority: 1, handle: 0x4d52, replace: true });
    object[Symbol.dispose]();
  }
  await using next = await Agent.open(box, { config: { attach: "clsact" } });
  expect(await next.observe()).toMatchObject({ workloads: [{ state: "complete", problems: [] }] });
  const filters = attachments(box).filter(({ where }) => where === "node h-member ingress");
  expect(filters).toHaveLength(1);
  await next.uninstall();
  expect(snapshot(box)).toEqual(clean);
});

it("goes on from a version that counted fewer verdicts, with new counters and everything else as it was", async () => {
  await install("tcx");
  const before = await linksAndEntries();
  const counters = pins("maps/counters");
  rmSync(counters);
  const create = ["type", "percpu_array", "key", "4", "value", "8", "entries", "70", "name", "counters"];
  runIn(box.netns, "bpftool", "map", "create", counters, ...create);
  for (const name of ["excluded", "excluded_ports", "excluded_networks"]) rmSync(pins(`maps/${name}`));
  await using next = await Agent.open(box, { config: { attach: "tcx" } });
  expect(next.log.match(/replacing a program/g)).toHaveLength(5);
  expect(await next.observe()).toMatchObject({
    workloads: [{ state: "complete", problems: [] }],
    proxies: [{ state: "complete", problems: [] }],
    problems: [],
    counters: { "app_outbound.captured_dns": 0 },
  });
  expect(await linksAndEntries()).toEqual(before);
  await next.uninstall();
  expect(snapshot(box)).toEqual(clean);
});

/** Which links are attached, and what the programs were told: no upgrade may lose any of it. */
async function linksAndEntries() {
  const dump = (name: string) => runIn(box.netns, "bpftool", "--json", "map", "dump", "pinned", pins(`maps/${name}`));
  return {
    links: attachments(box).map(({ where, linkId }) => [where, linkId]),
    entries: ["settings", "proxies", "workloads", "members", "addresses"].map(dump),
  };
}

it("refuses pins of another build with the same layout version", async () => {
  await install("tcx");
  const map = pins("maps/settings");
  rmSync(map);
  runIn(
    box.netns,
    "bpftool",
    "map",
    "create",
    map,
    "type",
    "array",
    "key",
    "4",
    "value",
    "4",
    "entries",
    "1",
    "name",
    "settings",
  );
  await expect(Agent.open(box)).rejects.toMatchObject({
    code: "ERR_LAYOUT_MISMATCH",
    message: expect.stringMatching(/valueSize is 4, declared 8.*millrace uninstall/),
  });
});

it("reports a foreign sk_lookup program in the proxy's namespace", async () => {
  await install("tcx");
  await using agent = await Agent.open(box);
  const { object, program } = loadForeign(box, "chooser", "sk_lookup");
  {
    using netns = openNetns(`/run/netns/${proxy.netns}`);
    using _link = attachSkLookup({ program, netns: netns.fd });
    expect((await agent.observe()).proxies).toMatchObject([
      {
        state: "partial",
        problems: [],
        foreign: [{ kind: "sk_lookup program", owner: `chooser, program id ${program.info.id}` }],
      },
    ]);
  }
  object[Symbol.dispose]();
  expect((await agent.observe()).proxies).toMatchObject([{ state: "complete" }]);
  await agent.uninstall();
});
