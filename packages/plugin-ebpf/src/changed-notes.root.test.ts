import { existsSync, mkdirSync, readdirSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { BpfProgram } from "libbpf-ts";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Agent } from "./testing/agent.ts";
import { type BoxPod, NodeBox, proxyOf, workloadOf } from "./testing/node-box.ts";

let box: NodeBox;
let member: BoxPod;
let proxy: BoxPod;
beforeEach(async () => {
  box = await NodeBox.create();
  [member, proxy] = [box.addPod("member"), box.addPod("proxy")];
});
afterEach(() => box[Symbol.dispose]());

const pin = (path: string): string => join(box.visibleBpffs, "millrace/v1", path);

/** A pin is all that can look like a file in a BPF file system (kernel/bpf/inode.c, bpf_dir_iops has no create). */
function pinAt(path: string): void {
  using program = BpfProgram.openPinned(pin("programs/app_inbound"));
  program.pin(path);
}

/** What somebody puts in the place of a note, or among the directories whose names are notes. */
const shapes: readonly (readonly [shape: string, put: (path: string) => void])[] = [
  ["a dangling link", (path) => symlinkSync("x", path)],
  ["JSON of another shape", (path) => symlinkSync('{"key":1}', path)],
  ["a pin", pinAt],
  ["a directory", (path) => mkdirSync(path)],
];

interface Change {
  readonly what: string;
  readonly strike: () => void;
  readonly phrase: string;
}

const note = (name: string, phrase: string): Change[] =>
  shapes.map(([shape, put]) => ({
    what: `${shape} instead of the note ${name}`,
    strike: () => {
      rmSync(pin(name), { recursive: true });
      put(pin(name));
    },
    phrase,
  }));

const stray = (name: string, put: (path: string) => void = (path) => mkdirSync(path)): Change => ({
  what: `${name}, which is nothing of ours`,
  strike: () => put(pin(name)),
  phrase: `${name} is nothing of ours`,
});

const changes: readonly Change[] = [
  ...note("proxies/0/identity", '"key":"unknown"'),
  { what: "no note of whom a slot is for", strike: () => rmSync(pin("proxies/0/identity")), phrase: '"key":"unknown"' },
  ...note("proxies/0/routing", "its routing is not noted"),
  ...note("proxies/0/dns", "DNS rules"),
  ...note("proxies/0/programs/loaded-from", "what its programs were loaded from is not noted"),
  ...note("programs/loaded-from", "programs/loaded-from is missing"),
  stray("proxies/foo"),
  stray("proxies/99"),
  stray("proxies/1", pinAt),
  stray("workloads/%zz"),
  stray("workloads/file", pinAt),
  stray("workloads/uid-member/foo"),
];

const enforce = async (agent: Agent): Promise<void> => {
  await agent.useNode({ addresses: ["198.18.1.1"] });
  await agent.useProxies({ active: proxyOf(proxy), draining: [] });
  await agent.apply(workloadOf(member, { dnsCapture: true }));
};

const healthy = () => ({
  workloads: [{ uid: "uid-member", state: "complete", problems: [] }],
  proxies: [{ key: proxyOf(proxy).key, role: "active", state: "complete", problems: [] }],
  problems: [],
});

describe.each(["tcx", "clsact"] as const)("what was changed in the BPF file system, attached by %s", (attach) => {
  const open = () => Agent.open(box, { config: { attach } });

  // Twenty times over: long where the machine has other things to do.
  it("is told and mended, one after the other", { timeout: 300_000 }, async () => {
    await using agent = await open();
    await enforce(agent);
    for (const { what, strike, phrase } of changes) {
      expect(await agent.observe(), `before: ${what}`).toMatchObject(healthy());
      strike();
      const { counters: _, ...observed } = await agent.observe();
      expect(JSON.stringify(observed), what).toContain(phrase);
      await enforce(agent);
    }
    expect(await agent.observe()).toMatchObject(healthy());
    expect(readdirSync(pin("proxies"))).toEqual(["0"]);
  });

  it("keeps no agent from starting, and none of it is lost", async () => {
    {
      await using agent = await open();
      await enforce(agent);
    }
    for (const { strike } of changes.filter(({ what }) => /dangling|nothing of ours/.test(what))) strike();
    await using agent = await open();
    // What the slot sends to goes on: it is known by what the programs know of it.
    expect((await agent.observe()).proxies).toMatchObject([{ key: "unknown", role: "active" }]);
    await enforce(agent);
    await enforce(agent);
    expect(await agent.observe()).toMatchObject(healthy());
  });

  it("keeps none from removing everything", async () => {
    {
      await using agent = await open();
      await enforce(agent);
    }
    for (const { strike } of changes.filter(({ what }) => /dangling|nothing of ours/.test(what))) strike();
    await using agent = await open();
    await agent.uninstall();
    expect(existsSync(join(box.visibleBpffs, "millrace"))).toBe(false);
    await using after = Agent.start(box);
    const left = async () => {
      const found = await after.traces([proxy.interface.netns, member.interface.netns]);
      return found.filter(({ elsewhere }) => !elsewhere);
    };
    await expect.poll(left, { timeout: 10_000 }).toEqual([]);
  });
});
