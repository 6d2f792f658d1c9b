import { rmSync } from "node:fs";
import { join } from "node:path";
import type { Trace } from "@millrace/core";
import { BpfProgram } from "libbpf-ts";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Agent } from "./testing/agent.ts";
import { loadForeign } from "./testing/foreign.ts";
import { type BoxPod, NodeBox, proxyOf, workloadOf } from "./testing/node-box.ts";
import { runIn } from "./testing/run.ts";

let box: NodeBox;
let member: BoxPod;
let proxy: BoxPod;
beforeEach(async () => {
  box = await NodeBox.create();
  member = box.addPod("m1");
  proxy = box.addPod("z1");
});
afterEach(() => box[Symbol.dispose]());

/** Without what other tests on this machine have loaded. */
async function traces(): Promise<readonly Trace[]> {
  await using agent = Agent.start(box);
  const found = await agent.traces([proxy.interface.netns, member.interface.netns]);
  return found.filter(({ elsewhere }) => !elsewhere);
}

const kinds = (found: readonly Trace[]): string[] => [...new Set(found.map(({ kind }) => kind))].sort();
const places = (found: readonly Trace[]): string[] => found.map(({ kind, what, mark }) => `${kind} ${what}: ${mark}`);

async function redirect(attach: "tcx" | "clsact"): Promise<void> {
  await using agent = await Agent.open(box, { config: { attach } });
  await agent.useProxies({ active: proxyOf(proxy), draining: [] });
  await agent.apply(workloadOf(member, { dnsCapture: true }));
}

test.each(["tcx", "clsact"] as const)(
  "by %s: all of it is found, and nothing when it is uninstalled",
  async (attach) => {
    expect(await traces()).toEqual([]);
    await redirect(attach);
    const hook = attach === "tcx" ? "tcx link" : "clsact filter";
    expect(kinds(await traces())).toEqual(["nft table", "pins", "sk_lookup link", hook].sort());
    await using agent = await Agent.open(box);
    await agent.uninstall();
    await expect.poll(traces, { timeout: 10_000 }).toEqual([]);
  },
);

test("filters are found by their programs when the pins are lost, wherever they were put", async () => {
  await redirect("clsact");
  rmSync(join(box.visibleBpffs, "millrace"), { recursive: true });
  const found = await traces();
  expect(places(found)).toEqual(
    expect.arrayContaining([
      expect.stringMatching(/^clsact filter h-m1 ingress .*: program app_outbound$/),
      expect.stringMatching(/^clsact filter h-m1 egress .*: program app_inbound$/),
      expect.stringMatching(/^clsact filter h-z1 ingress .*: program ztunnel_host_in$/),
      expect.stringMatching(/^clsact filter eth0 ingress .*: program ztunnel_tproxy$/),
    ]),
  );
  expect(kinds(found)).toEqual(["clsact filter", "nft table"]);
});

test("a program that is held somewhere else is told, and that nobody knows where", async () => {
  await redirect("clsact");
  await using agent = Agent.start(box);
  // The proxy's namespace is not among those that are looked into.
  rmSync(join(box.visibleBpffs, "millrace"), { recursive: true });
  const elsewhere = (await agent.traces([])).filter((trace) => trace.elsewhere);
  expect(elsewhere).toContainEqual(expect.objectContaining({ what: expect.stringMatching(/^ztunnel_tproxy id \d+$/) }));
});

test("a program of ours that is pinned elsewhere is found", async () => {
  await redirect("clsact");
  using program = BpfProgram.openPinned(join(box.visibleBpffs, "millrace/v1/programs/app_inbound"));
  program.pin(join(box.visibleBpffs, "moved"));
  expect(await traces()).toContainEqual({
    kind: "pin",
    where: box.bpffs,
    what: "moved",
    mark: "program app_inbound",
  });
});

test("another one's program by our name is his, and so are other tables", async () => {
  const { object, program } = loadForeign(box, "app_outbound");
  using _object = object;
  program.pin(join(box.visibleBpffs, "theirs"));
  box.inside("tc", "qdisc", "add", "dev", "h-m1", "clsact");
  box.inside("tc", "filter", "add", "dev", "h-m1", "ingress", "bpf", "da", "pinned", `${box.bpffs}/theirs`);
  runIn(proxy.netns, "nft", "add table inet dns");
  expect(await traces()).toEqual([]);
});
