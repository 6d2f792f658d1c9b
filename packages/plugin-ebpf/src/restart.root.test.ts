import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { BpfProgram } from "libbpf-ts";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { PROGRAMS } from "./layout.ts";
import { LOADED_FROM } from "./loaded-from.ts";
import { readNote, writeNote } from "./pins.ts";
import { Agent, type AgentOptions } from "./testing/agent.ts";
import { type BoxPod, NodeBox, proxyOf, workloadOf } from "./testing/node-box.ts";
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

const OF_NODE = ["app_inbound", "app_outbound", "ztunnel_host_in"];
const OF_PROXY = ["ztunnel_lookup", "ztunnel_tproxy"];

const pin = (path: string): string => join(box.visibleBpffs, "millrace/v1", path);
const programIds = () =>
  [...OF_NODE.map((name) => `programs/${name}`), ...OF_PROXY.map((name) => `proxies/0/programs/${name}`)].map(
    (path) => {
      using program = BpfProgram.openPinned(pin(path));
      return program.info.id;
    },
  );

/** One start of an agent up to the point where all is enrolled, and which of our programs it had the verifier look at. */
async function start(options: AgentOptions = {}): Promise<{ readonly log: string; readonly loaded: string[] }> {
  const trace = join("/tmp", `${box.netns}.strace`);
  const wrap = ["strace", "-f", "--seccomp-bpf", "-qq", "-e", "trace=bpf", "-o", trace, ...(options.wrap ?? [])];
  try {
    await using agent = Agent.start(box, { ...options, wrap });
    expect(await agent.probe()).toMatchObject({ capable: true });
    await agent.open();
    await agent.useProxies({ active: proxyOf(proxy), draining: [] });
    await agent.apply(workloadOf(member));
    expect(await agent.observe()).toMatchObject({
      workloads: [{ uid: "uid-member", state: "complete", problems: [] }],
      proxies: [{ key: proxyOf(proxy).key, role: "active", state: "complete", problems: [] }],
      problems: [],
    });
    const calls = readFileSync(trace, "utf8").matchAll(/BPF_PROG_LOAD.*prog_name="(\w+)"/g);
    const ours = [...calls].flatMap(([, name]) => PROGRAMS.find((program) => program === name) ?? []);
    return { log: agent.log, loaded: ours.sort() };
  } finally {
    rmSync(trace, { force: true });
  }
}

describe.each(["tcx", "clsact"] as const)("an agent that is started again, attaching by %s", (attach) => {
  it("has the verifier look at nothing that is pinned already, and at the node's programs once", async () => {
    // A proxy's are tried before there is one, with maps of their own.
    expect((await start({ config: { attach } })).loaded).toEqual([...OF_NODE, ...OF_PROXY, ...OF_PROXY].sort());
    const before = programIds();
    expect((await start({ config: { attach } })).loaded).toEqual([]);
    expect(programIds()).toEqual(before);
    await using agent = await Agent.open(box, { config: { attach } });
    await agent.uninstall();
    expect(snapshot(box)).toEqual(clean);
  });
});

/** What makes that which is pinned another thing than what an agent would load. */
const changes: readonly (readonly [what: string, strike: () => void, said?: string])[] = [
  ["a note of another object file", () => changeNote((note) => note.replace(/[0-9a-f]{64}/, "0".repeat(64)))],
  ["a note of another program", () => changeNote((note) => note.replace(/("app_inbound":)\d+/, "$11"))],
  ["a note of another map", () => changeNote((note) => note.replace(/("settings":)\d+/, "$11"))],
  ["a note that cannot be read", () => changeNote(() => "x")],
  [
    "another program in the place of one",
    () => {
      using other = BpfProgram.openPinned(pin("programs/app_outbound"));
      rmSync(pin("programs/app_inbound"));
      other.pin(pin("programs/app_inbound"));
    },
    "replacing a program",
  ],
];

function changeNote(change: (note: string) => string): void {
  const path = pin(`programs/${LOADED_FROM}`);
  const note = readNote(path) ?? "";
  const changed = change(note);
  expect(changed).not.toBe(note);
  writeNote(path, changed);
}

// A start for each.
it("loads the node's programs again where what is pinned is not what would be loaded", {
  timeout: 300_000,
}, async () => {
  await start();
  for (const [what, strike, said] of changes) {
    const before = programIds();
    strike();
    const { log, loaded } = await start();
    expect(loaded, what).toEqual(expect.arrayContaining(OF_NODE));
    if (said === undefined) expect(programIds(), what).toEqual(before);
    else expect(log).toContain(said);
  }
  const config = { maxExclusions: 77 };
  const { log, loaded } = await start({ config });
  expect(loaded).toEqual(expect.arrayContaining(OF_NODE));
  expect(log).toContain("resized a map");
  expect((await start({ config })).loaded).toEqual([]);
});

it("says which capabilities it needs, also where there is nothing to load", async () => {
  await start();
  const wrap = ["setpriv", "--bounding-set=-bpf,-sys_admin", "--inh-caps=-bpf,-sys_admin"];
  await expect(Agent.open(box, { wrap })).rejects.toMatchObject({ code: "ERR_NOT_PERMITTED" });
  await using agent = Agent.start(box, { wrap });
  expect(await agent.probe()).toMatchObject({ capable: false, summary: expect.stringContaining("bpf.syscall") });
});
