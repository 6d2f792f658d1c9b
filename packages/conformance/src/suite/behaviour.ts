import type { Family } from "../lab/addresses.ts";
import type { Lab } from "../lab/lab.ts";
import type { DifferenceId } from "./differences.ts";
import type { Expect } from "./expect.ts";
import type { Testbed } from "./testbed.ts";

/**
 * `cold`: the packets looked at are the first between the two since their neighbour caches were emptied. `warm`: the two have
 * made at least 20 round trips on a connection that is still open. A backend that treats the first packet of a connection
 * unlike the rest shows it here.
 */
export type Temperature = "cold" | "warm";

/** What a behaviour is run with. */
export interface Trial {
  readonly lab: Lab;
  /** The standard fixture in that lab: an agent, a node proxy, members. */
  readonly bed: Testbed;
  readonly family: Family;
  readonly temperature: Temperature;
  /** Name of the backend. */
  readonly backend: string;
  /** States what must be so, and records what was seen. */
  readonly expect: Expect;
  /** What this backend shows where backends are documented to differ. */
  difference(id: DifferenceId): string;
}

/** One thing that every backend must show, as a plain value. */
export interface Behaviour {
  /** Stable; cited by code, reports and docs/conformance.md. */
  readonly id: string;
  /** Its number in docs/conformance.md, 1 to 30; `2b` belongs to 2; the further ones have none. */
  readonly number?: number | "2b";
  readonly title: string;
  readonly given: string;
  readonly when: string;
  /** The "then" of given, when, then: a property of that name would make the value look like a promise. */
  readonly outcome: string;
  /**
   * `shared` (default): leaves the fixture as it found it, but for which pod is the proxy. `bare`: gets one without agent and proxy and
   * leaves it so. `own`: gets one of its own for all of its trials.
   */
  readonly bed?: "shared" | "bare" | "own";
  /** Default both. */
  readonly families?: readonly Family[];
  /** Default both. */
  readonly temperatures?: readonly Temperature[];
  /** The backends it says something about, when not about all, and why the others have no such thing. */
  readonly backends?: { readonly only: readonly string[]; readonly because: string };
  run(trial: Trial): Promise<void>;
}

/** Gives a behaviour its type. */
export const defineBehaviour = (behaviour: Behaviour): Behaviour => behaviour;
