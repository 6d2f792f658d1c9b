import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { Agent, MILLRACE_COMMAND } from "../agent/agent.ts";
import { type Change, changesOf, type Point, pointsOf, renderPoint, spread } from "../crash/points.ts";
import { hit, struck, struckFromStart, tracedFromStart } from "../crash/strace.ts";
import { parseTrace } from "../crash/trace.ts";
import { within } from "../slow.ts";
import { compareSnapshots, snapshot } from "../snapshot/snapshot.ts";
import { buildVersion, NEXT_VERSION, STRANGE_VERSION } from "../upgrade/other-version.ts";
import { LOADED_OPTIONS, LoadedNode } from "./loaded-node.ts";
import { numberFrom } from "./switch-size.ts";

/** There and back are two. `make test-upgrade` runs this with the sizes that it is about. */
const UPGRADES = numberFrom("MILLRACE_UPGRADES", 2);
const KILLS = numberFrom("MILLRACE_UPGRADE_KILLS", 2);
/** Which points: other ones every day; MILLRACE_SEED repeats one. */
const seed = Number(process.env.MILLRACE_SEED ?? Math.floor(Date.now() / 86_400_000));
const phase = (seed * 0.618_034) % 1;

let versions: string;
let next: readonly string[];
let strange: readonly string[];
beforeAll(async () => {
  versions = mkdtempSync(join(tmpdir(), "millrace-versions-"));
  next = await buildVersion(join(versions, "next"), NEXT_VERSION);
  strange = await buildVersion(join(versions, "strange"), STRANGE_VERSION);
}, within(120_000));
afterAll(() => rmSync(versions, { recursive: true, force: true }));

describe.each(["tcx", "clsact"])("a version with other maps, attached by %s", (attach) => {
  let loaded: LoadedNode;
  let agent: Agent;
  const settled = async () => {
    await agent.untilActive(loaded.proxyPod);
    await agent.untilEnrolled(...loaded.members);
  };
  const pinned = () => readdirSync(join(loaded.node.paths.bpffs, "millrace"));
  const begin = async (command = MILLRACE_COMMAND) => {
    const backends = { ...LOADED_OPTIONS.backends, ebpf: { ...LOADED_OPTIONS.backends.ebpf, attach } };
    agent = await Agent.start(loaded.node, { ...LOADED_OPTIONS, backends, redirectMode: "ebpf", command });
    await settled();
  };
  /** As a DaemonSet's update does it: the old one has ended before the new one begins. */
  const change = async (command: readonly string[], version: number) => {
    if (agent.running) await agent.stop();
    await agent.restart(command);
    await settled();
    expect(pinned()).toEqual([`v${version}`]);
  };

  beforeAll(async () => {
    loaded = await LoadedNode.create(`u${attach[0]}`);
    await begin();
  }, within(60_000));
  afterAll(() => loaded?.[Symbol.asyncDispose](), within(60_000));

  test("takes over, and the old one takes over from it: nothing fails, nothing breaks, nothing escapes", async () => {
    await loaded.withTraffic(`upgrade by ${attach}`, async (traffic) => {
      const took: number[] = [];
      for (let round = 1; round <= UPGRADES; round++) {
        const began = performance.now();
        await (round % 2 === 1 ? change(next, 2) : change(MILLRACE_COMMAND, 1));
        took.push(Math.round(performance.now() - began));
        // Half of them begin under each version.
        if (round === 1) await traffic.openStreams();
      }
      if (UPGRADES % 2 === 1) await change(MILLRACE_COMMAND, 1);
      return `${UPGRADES} upgrades in ${took.join(", ")} ms`;
    });
  }, 3_600_000);

  test(
    "is killed while it takes over, and it or the old one goes on",
    async () => {
      await loaded.withTraffic(`killed by ${attach}`, async () => {
        const points = await pointsOfTakeOver();
        const chosen = spread(points, KILLS, phase);
        const told: string[] = [];
        for (const [index, point] of chosen.entries()) {
          const where = renderPoint(point);
          const wasHit = await killAt(point);
          await loaded.expectServed(`nobody there, killed at ${where}`);
          const goesBack = index % 2 === 1;
          await (goesBack ? change(MILLRACE_COMMAND, 1) : change(next, 2));
          if (!goesBack) await change(MILLRACE_COMMAND, 1);
          told.push(`${where}${wasHit ? "" : " (missed)"}, then the ${goesBack ? "old" : "new"} one`);
        }
        expect(told.filter((line) => line.includes("(missed)")).length).toBeLessThan(chosen.length);
        return `${chosen.length} of ${points.length} points (seed ${seed}):\n  ${told.join("\n  ")}\n `;
      });
    },
    within(600_000),
  );

  test(
    "is refused by one that cannot read its maps, which changes nothing",
    async () => {
      await agent.stop();
      expect(await agent.millrace("uninstall")).toMatchObject({ status: 0 });
      await agent.restart(strange);
      await settled();
      await agent.stop();
      const before = await snapshot(loaded.node);
      await agent.restart(MILLRACE_COMMAND);
      await agent.until("a refusal", (status) =>
        /^ERR_LAYOUT_MISMATCH.*flows has another layout, which it has to keep/.test(status.agent.problem ?? ""),
      );
      await agent.stop();
      expect(compareSnapshots(before, await snapshot(loaded.node))).toEqual([]);
      expect(pinned()).toEqual(["v3"]);
      await loaded.expectServed("refused");
      await agent.restart(strange);
      await settled();
    },
    within(120_000),
  );

  test(
    "leaves nothing after an uninstall",
    async () => {
      await agent.stop();
      const { status, stdout, stderr } = await agent.millrace("uninstall", "--purge", "--verify");
      expect(status, stdout + stderr).toBe(0);
      expect(compareSnapshots(loaded.before, await snapshot(loaded.node))).toEqual([]);
    },
    within(60_000),
  );

  /** What the next version's agent does between the first and the last word about its take-over. Leaves the old version serving. */
  async function pointsOfTakeOver(): Promise<Point[]> {
    const file = join(versions, "trace");
    rmSync(file, { force: true });
    await agent.stop();
    agent.begin([...tracedFromStart(file), ...next]);
    const { pid } = agent;
    const isDone = () =>
      expect([pinned(), readdirSync(join(loaded.node.paths.bpffs, "millrace/v2"))]).toEqual([
        ["v2"],
        expect.not.arrayContaining(["take-over"]),
      ]);
    await vi.waitFor(isDone, { timeout: within(60_000), interval: 50 });
    await agent.kill();
    const trace = parseTrace(readFileSync(file, "utf8"));
    const changes = changesOf(trace, new Map([[pid, "main"]]), loaded.node.paths.root);
    const isAboutIt = ({ gist }: Change) => gist.includes("/v2/take-over");
    const taking = changes.slice(changes.findIndex(isAboutIt), changes.findLastIndex(isAboutIt) + 1);
    await change(MILLRACE_COMMAND, 1);
    return pointsOf(`ebpf-${attach}`, "take-over", taking);
  }

  /** True when it was killed at the very call that was meant. */
  async function killAt(point: Point): Promise<boolean> {
    const file = join(versions, "trace");
    rmSync(file, { force: true });
    await agent.stop();
    agent.begin([...struckFromStart(point, file), ...next]);
    const isStruck = await struck(point, agent, file, within(60_000));
    await agent.kill();
    return isStruck && hit(point, file, loaded.node.paths.root);
  }
});
