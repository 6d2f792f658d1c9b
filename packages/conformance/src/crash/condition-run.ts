import { within } from "../slow.ts";
import type { Snapshot } from "../snapshot/snapshot.ts";
import type { CrashBed } from "./bed.ts";
import type { Condition } from "./conditions.ts";
import type { CrashReport } from "./report.ts";

/** Lets one thing after the other go wrong around the agent, and looks whether it does what it then has to do. */
export class ConditionRun {
  readonly #bed: CrashBed;
  readonly #report: CrashReport;

  constructor(bed: CrashBed, report: CrashReport) {
    this.#bed = bed;
    this.#report = report;
  }

  async run(conditions: readonly Condition[]): Promise<void> {
    await this.#letProxyDrain();
    const expected = await this.#bed.image();
    for (const condition of conditions) await this.#try(condition, expected);
  }

  /** There is to be one all the while: it is what an agent that has lost its log would forget. */
  async #letProxyDrain(): Promise<void> {
    const bed = this.#bed;
    for (const name of ["z2", "z1"]) {
      bed.wanted.active = bed.lab.pod(name);
      bed.publishProxies();
      await bed.settled();
    }
  }

  async #try(condition: Condition, expected: Snapshot): Promise<void> {
    const bed = this.#bed;
    const what = `${bed.variant.name} × ${condition.name} × ${condition.when === "running" ? "while it runs" : "before it starts"}`;
    const began = Date.now();
    const traffic = condition.withoutTraffic === true ? undefined : await bed.traffic(true);
    const escapes = await bed.countEscapes(false);
    let details: string[];
    try {
      await this.#goThrough(condition);
      details = await bed.differences(expected);
    } catch (error) {
      details = [error instanceof Error ? error.message : String(error)];
      if (!bed.agent.running) await bed.agent.restart();
    }
    const ended = await traffic?.end();
    const { escaped, proxied } = await escapes.read();
    await escapes[Symbol.asyncDispose]();
    const verdict = details.length === 0 ? "converged" : "diverged";
    this.#report.point({ what, verdict, details, escaped, began, ended: Date.now() });
    if (ended !== undefined) this.#report.traffic(what, ended, proxied);
  }

  async #goThrough({ when, does, prepare, harm, heal }: Condition): Promise<void> {
    const bed = this.#bed;
    await prepare?.(bed);
    if (when === "stopped") await bed.agent.kill();
    await harm(bed);
    if (when === "running") await this.#serves();
    else if (does === "goes on") await bed.agent.restart();
    else await this.#refuses(does.refuses);
    if (does === "goes on") {
      if (when === "running") {
        await bed.agent.kill();
        await bed.agent.restart();
      }
      await this.#serves();
    }
    if (heal === undefined) return;
    await bed.agent.kill();
    await heal(bed);
    await bed.agent.restart();
    await bed.settled();
  }

  /** It does what it is asked for: l1 becomes a member and is none again. */
  async #serves(): Promise<void> {
    await this.#bed.settled();
    for (const late of [true, false]) {
      this.#bed.wanted.late = late;
      this.#bed.publishLate();
      await this.#bed.settled();
    }
  }

  async #refuses(code: string): Promise<void> {
    const refused = this.#bed.start([], "agent");
    const timer = setTimeout(() => refused.signal("SIGKILL"), within(30_000));
    await refused.ended;
    clearTimeout(timer);
    const told = refused.tail();
    if (refused.outcome.startsWith("status ") && refused.outcome !== "status 0" && told.includes(code)) return;
    throw new Error(`an agent that was to refuse with ${code} ended with ${refused.outcome}:\n${told}`);
  }
}
