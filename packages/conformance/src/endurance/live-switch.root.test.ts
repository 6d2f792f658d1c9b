import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Agent } from "../agent/agent.ts";
import { within } from "../slow.ts";
import { compareSnapshots, snapshot } from "../snapshot/snapshot.ts";
import { LOADED_OPTIONS, LoadedNode } from "./loaded-node.ts";
import { numberFrom } from "./switch-size.ts";

const SWITCHES = numberFrom("MILLRACE_SWITCHES", 2);
/** From when an agent serves its status: while it opens, joins, hands over. */
const KILL_AFTER_MS = [180, 300, 450, 700, 1000, 1500, 2200, 3000];
const BACKENDS = ["ebpf", "iptables"] as const;

let loaded: LoadedNode;
let agent: Agent;

beforeAll(async () => {
  loaded = await LoadedNode.create("ls");
  agent = await Agent.start(loaded.node, { ...LOADED_OPTIONS, redirectMode: "ebpf" });
  await agent.untilActive(loaded.proxyPod);
  await agent.untilEnrolled(...loaded.members);
});
afterAll(() => loaded?.[Symbol.asyncDispose]());

async function switchTo(backend: string): Promise<void> {
  const { status, stdout, stderr } = await agent.millrace("switch", backend, "--no-wait");
  expect(status, stdout + stderr).toBe(0);
  await untilServedBy(backend);
}

async function untilServedBy(backend: string): Promise<void> {
  await agent.until(
    `redirection by ${backend} alone`,
    (found) => found.agent.backend === backend && (found.switch as { state?: string } | undefined)?.state === "done",
    within(60_000),
  );
}

describe("with connections, streams and questions all the while: nothing fails, nothing breaks, nothing escapes", () => {
  test("when the node is switched again and again", async () => {
    await loaded.withTraffic("switch", async (traffic) => {
      const took: number[] = [];
      for (let round = 1; round <= SWITCHES; round++) {
        const began = performance.now();
        await switchTo(BACKENDS[round % 2] as string);
        took.push(Math.round(performance.now() - began));
        // Half of them begin by each backend.
        if (round === 1) await traffic.openStreams();
      }
      return `${SWITCHES} switches in ${took.join(", ")} ms`;
    });
  }, 3_600_000);

  test("when the agent dies in the middle, at one moment after the other, and there and back", async () => {
    await loaded.withTraffic("killed", async (traffic) => {
      let kills = 0;
      for (const to of ["iptables", "ebpf"]) {
        const { status, stdout, stderr } = await agent.millrace("switch", to, "--no-wait");
        expect(status, stdout + stderr).toBe(0);
        for (const delayMs of KILL_AFTER_MS) {
          await sleep(delayMs);
          if ((await agent.status()).agent.backend === to) break;
          await agent.kill();
          kills += 1;
          await loaded.expectServed(`nobody there, killed ${delayMs} ms after it began`);
          await agent.restart();
        }
        await untilServedBy(to);
        if (to === "iptables") await traffic.openStreams();
      }
      expect(kills).toBeGreaterThan(1);
      return `${kills} times`;
    });
  }, 600_000);
});

test("nothing of either is left after an uninstall", async () => {
  await agent.stop();
  const { status, stdout, stderr } = await agent.millrace("uninstall", "--purge", "--verify");
  expect(status, stdout + stderr).toBe(0);
  expect(compareSnapshots(loaded.before, await snapshot(loaded.node))).toEqual([]);
});
