import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { verifyLog } from "../agent/verify-log.ts";
import { pause } from "../pause.ts";
import { within } from "../slow.ts";
import type { Snapshot } from "../snapshot/snapshot.ts";
import type { ServerEscapes } from "../suite/server-escapes.ts";
import type { CrashBed } from "./bed.ts";
import type { Operation, Pair } from "./operations.ts";
import { type Change, changesOf, type Point, pointsOf, ROLES, type Role, renderPoint, spread } from "./points.ts";
import type { CrashReport, PointResult } from "./report.ts";
import { hit, struck, struckFromStart, Tracer, threadsOf, tracedFromStart } from "./strace.ts";
import { parseTrace } from "./trace.ts";

export interface Choice {
  /** How many points of each operation are tried, evenly spread; undefined: all. */
  readonly points: number | undefined;
  /** Which of them, from 0 to 1. */
  readonly phase: number;
  /** Only points whose line has this in it. */
  readonly matching: string | undefined;
}

/** Of a point that is missed. */
const MOST_TRIES = 3;

/** An operation with what an undisturbed run of it did and left. */
interface Known {
  readonly operation: Operation;
  readonly expected: Snapshot;
  readonly points: Point[];
}

/** Kills at the points of one pair of operations, one after the other, there and back. */
export class PairRun {
  readonly #bed: CrashBed;
  readonly #pair: Pair;
  readonly #choice: Choice;
  readonly #report: CrashReport;
  readonly #trace: string;

  constructor(bed: CrashBed, pair: Pair, choice: Choice, report: CrashReport) {
    this.#bed = bed;
    this.#pair = pair;
    this.#choice = choice;
    this.#report = report;
    this.#trace = join(bed.node.paths.root, "trace");
  }

  async run(): Promise<void> {
    const { there, back = there } = this.#pair;
    const installs = there.kind === "command";
    const traffic = await this.#bed.traffic(!installs);
    let escapes = await this.#bed.countEscapes(installs);
    let proxied = 0;
    const tries = new Map<Point, number>();
    try {
      // Once without looking: what the first time leaves for good, the later ones find.
      for (const operation of new Set([there, back])) await this.#carryOut(operation);
      const known = [await this.#watch(there)];
      if (back !== there) known.push(await this.#watch(back));
      // To the end of a round: what comes next begins where this began.
      for (let turn = 0; turn % known.length > 0 || known.some(({ points }) => points.length > 0); turn++) {
        const next = known[turn % known.length] as Known;
        const point = next.points.shift();
        if (point === undefined) {
          await this.#carryOut(next.operation);
          await this.#expect(next, "without being disturbed");
        } else {
          const result = await this.#strike(next, point, escapes);
          // The agent may have made another number of calls before it this time: the same once more, when all is as it was.
          const tried = (tries.get(point) ?? 0) + 1;
          tries.set(point, tried);
          if (result.verdict === "missed" && tried < MOST_TRIES) next.points.unshift(point);
          else this.#report.point(result);
        }
        if (installs && next.operation.kind === "command") {
          // Before an installation all may come unproxied again.
          proxied += (await escapes.read()).proxied;
          escapes = await this.#bed.countEscapes(true);
        }
      }
    } finally {
      const ended = await traffic.end();
      proxied += (await escapes.read()).proxied;
      await escapes[Symbol.asyncDispose]();
      this.#report.traffic(this.#name, ended, proxied);
    }
    verifyLog(this.#bed.node.paths.eventLog);
  }

  get #name(): string {
    const { there, back } = this.#pair;
    return [this.#bed.variant.name, there.name, ...(back === undefined ? [] : [back.name])].join(" × ");
  }

  /** Does it undisturbed, with what follows each of them, and finds out what it is made of. */
  async #watch(operation: Operation): Promise<Known> {
    const { bed, calls } = { bed: this.#bed, calls: await this.#follow(operation) };
    const expected = operation.kind === "command" ? bed.bare : await bed.image();
    const changes = changesOf(calls.trace, calls.roles, bed.node.paths.root);
    const all = pointsOf(bed.variant.name, operation.name, changes);
    const { points, phase, matching } = this.#choice;
    const wanted =
      matching === undefined ? all : all.filter((point) => `${point.gist} ${point.role}`.includes(matching));
    const chosen = points === undefined ? wanted : spread(wanted, points, phase);
    this.#report.note(
      `${bed.variant.name} × ${operation.name}: ${summary(changes)}; ${all.length} points, ${chosen.length} tried`,
    );
    const known = { operation, expected, points: chosen };
    if (operation.kind === "command") await this.#expect(known, "without being disturbed");
    return known;
  }

  async #follow(operation: Operation) {
    const { agent } = this.#bed;
    rmSync(this.#trace, { force: true });
    const read = (roles: ReadonlyMap<number, Role>) => ({
      roles,
      trace: parseTrace(readFileSync(this.#trace, "utf8")),
    });
    if (operation.kind === "running") {
      const roles = threadsOf(agent.pid);
      {
        await using _ = await Tracer.follow(agent.pid, this.#trace);
        await this.#answered(operation);
        await this.#bed.settledUnderStrace();
        await this.#bed.image();
      }
      return read(roles);
    }
    if (operation.kind === "starting") {
      await agent.kill();
      operation.ask(this.#bed);
      const traced = this.#bed.start(tracedFromStart(this.#trace), "agent");
      await traced.until("all that is wanted", () => this.#bed.isSettled(), within(60_000));
      await this.#bed.image();
      await traced.kill();
      await agent.restart();
      await this.#bed.settled();
      return read(new Map([[traced.pid, "main"]]));
    }
    await agent.stop();
    const traced = this.#bed.start(tracedFromStart(this.#trace), "uninstall");
    await traced.ended;
    if (traced.outcome !== "status 0") throw new Error(`millrace uninstall: ${traced.outcome}\n${traced.tail()}`);
    return read(new Map([[traced.pid, "main"]]));
  }

  /** Undisturbed. */
  async #carryOut(operation: Operation): Promise<void> {
    const { agent } = this.#bed;
    if (operation.kind === "running") await this.#answered(operation);
    else if (operation.kind === "starting") {
      await agent.kill();
      operation.ask(this.#bed);
      await agent.restart();
    } else {
      await agent.stop();
      await this.#uninstall();
      return;
    }
    await this.#bed.settled(within(60_000));
  }

  /** Asks a running agent for it, and waits until it has done something; it is not asked meanwhile. */
  async #answered(operation: Operation): Promise<void> {
    const before = this.#bed.lastAnswer();
    operation.ask(this.#bed);
    const deadline = performance.now() + within(60_000);
    while (this.#bed.lastAnswer() <= before) {
      if (performance.now() > deadline)
        throw new Error(`no answer to ${operation.name}\n${this.#bed.agent.lines.slice(-20).join("\n")}`);
      await pause(50, performance.now());
    }
  }

  /** Kills at the point, does it again, and looks what has come of it. */
  async #strike({ operation, expected }: Known, point: Point, escapes: ServerEscapes): Promise<PointResult> {
    const bed = this.#bed;
    const { escaped } = await escapes.read();
    const began = Date.now();
    const wasHit = await this.#kill(operation, point);
    let details: string[];
    try {
      if (operation.kind === "command") await this.#uninstall();
      else {
        await bed.agent.restart();
        await bed.settled(within(60_000));
      }
      details = await bed.differences(expected);
    } catch (error) {
      details = [error instanceof Error ? error.message : String(error)];
      if (operation.kind !== "command" && !bed.agent.running) await bed.agent.restart();
    }
    const after = await escapes.read();
    return {
      what: renderPoint(point),
      verdict: details.length > 0 ? "diverged" : wasHit ? "converged" : "missed",
      details,
      escaped: operation.kind === "command" ? 0 : after.escaped - escaped,
      began,
      ended: Date.now(),
    };
  }

  /** True when it was killed at the very call that was meant. */
  async #kill(operation: Operation, point: Point): Promise<boolean> {
    const { agent, node } = this.#bed;
    rmSync(this.#trace, { force: true });
    if (operation.kind === "running") {
      const tid = [...threadsOf(agent.pid)].find(([, role]) => role === point.role)?.[0];
      if (tid === undefined) throw new Error(`the agent has no thread ${ROLES[point.role]}`);
      await using _ = await Tracer.strike(tid, point, this.#trace);
      operation.ask(this.#bed);
      const isStruck = await struck(point, agent, this.#trace);
      await agent.kill();
      return isStruck && hit(point, this.#trace, node.paths.root);
    }
    if (operation.kind === "starting") await agent.kill();
    else await agent.stop();
    operation.ask(this.#bed);
    const victim = this.#bed.start(
      struckFromStart(point, this.#trace),
      operation.kind === "starting" ? "agent" : "uninstall",
    );
    const isStruck = await struck(point, victim, this.#trace);
    await victim.kill();
    return isStruck && hit(point, this.#trace, node.paths.root);
  }

  /** As somebody does who was told that it failed: again, until it succeeds. */
  async #uninstall(): Promise<void> {
    const began = performance.now();
    let { status, stdout, stderr } = await this.#bed.agent.millrace("uninstall");
    if (status !== 0) {
      await pause(within(1_000), began);
      ({ status, stdout, stderr } = await this.#bed.agent.millrace("uninstall"));
    }
    if (status !== 0) throw new Error(`millrace uninstall ended with ${status}: ${stdout}${stderr}`);
  }

  async #expect({ operation, expected }: Known, how: string): Promise<void> {
    const differences = await this.#bed.differences(expected);
    if (differences.length > 0) throw new Error(`${operation.name}, ${how}:\n${differences.join("\n")}`);
  }
}

/** `31 changes: 12 bpf, 4 sendto, …; mount: 0 calls`. */
function summary(changes: readonly Change[]): string {
  const counts = Object.entries(Object.groupBy(changes, ({ call }) => call)).map(
    ([call, list]) => `${list?.length} ${call}`,
  );
  return `${changes.length} changes (${counts.join(", ")})`;
}
