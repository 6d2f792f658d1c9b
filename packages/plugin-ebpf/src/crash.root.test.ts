import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Agent } from "./testing/agent.ts";
import { attachments } from "./testing/attachments.ts";
import { type BoxPod, NodeBox, proxyOf, workloadOf } from "./testing/node-box.ts";
import { snapshot } from "./testing/snapshot.ts";

/** System calls that change something of ours. The agent is killed at the entry of some of them, without any hook in its code. */
const CALLS = ["bpf", "mkdir", "symlink", "rename", "unlink", "rmdir", "fsync", "sendto", "sendmsg"];
/** How many of the calls of one whole life are tried, evenly spread. */
const POINTS = 6;

interface Call {
  readonly name: string;
  /** The how-manieth call of this name, from 1. */
  readonly ordinal: number;
}

describe.each(["tcx", "clsact"] as const)("an agent killed in the middle, attaching by %s", (attach) => {
  let box: NodeBox;
  let member: BoxPod;
  let leaver: BoxPod;
  let proxies: readonly [BoxPod, BoxPod];
  let clean: string[];
  let calls: Call[];

  const strace = (...more: string[]) => ["strace", "-f", "-qq", "-e", `trace=${CALLS.join()}`, ...more];
  const config = { attach, releaseSeconds: 0 };

  /** A whole life: enrols, replaces the proxy, unenrols. */
  const live = async (agent: Agent) => {
    await agent.open();
    await agent.useNode({ addresses: ["198.18.1.1"] });
    await agent.useProxies({ active: proxyOf(proxies[0]), draining: [] });
    await agent.apply(workloadOf(member));
    await agent.apply(workloadOf(leaver));
    await agent.useProxies({ active: proxyOf(proxies[1]), draining: [proxyOf(proxies[0])] });
    await agent.useProxies({ active: proxyOf(proxies[1]), draining: [] });
    await agent.remove("uid-leaver");
  };

  beforeAll(async () => {
    box = await NodeBox.create();
    member = box.addPod("member");
    leaver = box.addPod("leaver");
    proxies = [box.addPod("one"), box.addPod("two")];
    clean = snapshot(box);
    const trace = join("/tmp", `${box.netns}.strace`);
    {
      await using agent = Agent.start(box, { config, wrap: strace("-o", trace) });
      await live(agent);
      await agent.uninstall();
    }
    calls = mainThreadCalls(readFileSync(trace, "utf8"));
    box.inside("rm", trace);
    expect(snapshot(box)).toEqual(clean);
  }, 120_000);
  afterAll(() => box[Symbol.dispose]());

  it.each(Array.from({ length: POINTS }, (_, index) => index))(
    "at point %i of its life leaves what the next one finishes or clears away",
    async (index) => {
      const call = calls[Math.floor(((index + 0.5) / POINTS) * calls.length)];
      if (!call) throw new Error("the first life made no system calls");
      {
        const inject = `inject=${call.name}:signal=KILL:when=${call.ordinal}`;
        await using agent = Agent.start(box, { config, wrap: strace("-o", "/dev/null", "-e", inject) });
        const lived = live(agent).then(() => agent.uninstall());
        await expect(lived, `${call.name} number ${call.ordinal}`).rejects.toThrow("the agent ended");
      }
      await using next = await Agent.open(box, { config });
      await next.observe();
      if (index % 2 === 0) {
        await next.useNode({ addresses: ["198.18.1.1"] });
        await next.useProxies({ active: proxyOf(proxies[1]), draining: [] });
        await next.apply(workloadOf(member));
        await next.remove("uid-leaver");
        expect(await next.observe()).toMatchObject({
          workloads: [{ uid: "uid-member", state: "complete", problems: [] }],
          proxies: [{ key: proxyOf(proxies[1]).key, role: "active", state: "complete", problems: [] }],
          problems: [],
        });
      }
      await next.uninstall();
      expect(attachments(box)).toEqual([]);
      expect(snapshot(box)).toEqual(clean);
    },
    60_000,
  );
});

/** The traced calls of the thread that makes most of them, from the first directory of ours on. */
function mainThreadCalls(trace: string): Call[] {
  const parsed = trace.split("\n").flatMap((line) => {
    const match = /^(\d+) +(\w+)\(/.exec(line);
    return match ? [{ thread: match[1], name: match[2] ?? "", line }] : [];
  });
  const [main] = [...Map.groupBy(parsed, ({ thread }) => thread).values()].sort((a, b) => b.length - a.length);
  const counts = new Map<string, number>();
  const calls = (main ?? []).map(({ name, line }) => {
    const ordinal = (counts.get(name) ?? 0) + 1;
    counts.set(name, ordinal);
    return { name, ordinal, line };
  });
  const first = calls.findIndex(({ name }) => name === "mkdir");
  return calls.slice(first).map(({ name, ordinal }) => ({ name, ordinal }));
}
