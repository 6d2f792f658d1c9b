import type { Explanation, ExplanationStep, Fate } from "@millrace/core";
import { type Family, type Netns, tcpSockets } from "linux-ts";

/** Gathers an {@link Explanation}, step by step, until something decides. */
export class Explaining {
  readonly #steps: ExplanationStep[] = [];
  readonly #problems: string[] = [];

  /** The packet meets an object and goes on. */
  meets(object: string, does: string): this {
    this.#steps.push({ object, does });
    return this;
  }

  /** Something that should be there is not, or somebody stands before it. */
  lacks(...problems: readonly string[]): this {
    this.#problems.push(...problems);
    return this;
  }

  /** The packet meets the object that decides. */
  decides(fate: Fate, object: string, does: string, to?: Explanation["to"]): Explanation {
    this.meets(object, does);
    return { fate, ...(to && { to }), steps: this.#steps, problems: this.#problems };
  }
}

const ANY = ["0.0.0.0", "::"];

/** Whether somebody in a namespace listens on a port of every address for packets of this family; for IPv4 a dual-stack socket does, too. */
export function isListening(netns: Netns, port: number, family: Family): boolean {
  return tcpSockets(netns.fd, { states: ["listen"] }).some(
    ({ source, sourcePort, family: its }) =>
      sourcePort === port && ANY.includes(source) && (its === family || (family === 4 && its === 6)),
  );
}
