import type { Agent } from "../agent/agent.ts";
import type { LabHost } from "../lab/lab-host.ts";
import type { Output } from "../programs/endpoint/protocol.ts";
import { countersOf, kernelCounters } from "../suite/counted.ts";

/** Lines of the agent's log to show. */
const LOG_LINES = 60;

interface Load {
  readonly name: string;
  readonly result: Output<"load"> | undefined;
}

/**
 * What one round of a test shows when it fails: what happened when, which connections failed, what the programs and the
 * kernel counted, and what the agent said.
 */
export class Evidence {
  readonly #started = performance.now();
  readonly #moments: string[] = [];
  #before: Readonly<Record<string, number>> = {};

  /** Begins a round: times count from here. */
  static async begin(agent: Agent): Promise<Evidence> {
    const evidence = new Evidence();
    evidence.#before = await countersOf(agent);
    return evidence;
  }

  /** Notes that something happened now. */
  note(what: string): void {
    this.#moments.push(`${Math.round(performance.now() - this.#started)} ms  ${what}`);
  }

  async describe(agent: Agent, hosts: readonly LabHost[], loads: readonly Load[]): Promise<string> {
    return [
      "moments:",
      ...this.#moments,
      ...loads.flatMap(({ name, result }) => [
        `load of ${name}: ${result === undefined ? "no result" : `${result.succeeded} of ${result.attempts} succeeded`}`,
        ...(result?.failures ?? []).map((failure) => JSON.stringify(failure)),
      ]),
      "counted by the programs in this round:",
      ...(await this.#counted(agent)),
      ...(await Promise.all(hosts.map(kernelCounters))),
      ...agent.lines.slice(-LOG_LINES),
    ].join("\n");
  }

  async #counted(agent: Agent): Promise<string[]> {
    try {
      return Object.entries(await countersOf(agent))
        .map(([name, count]) => [name, count - (this.#before[name] ?? 0)] as const)
        .filter(([, count]) => count !== 0)
        .map(([name, count]) => `${name} ${count}`);
    } catch (error) {
      // The agent may be what failed; the rest is to be seen all the same.
      return [`not known: ${error instanceof Error ? error.message : error}`];
    }
  }
}
