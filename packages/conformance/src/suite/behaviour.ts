import type { Family } from "../lab/addresses.ts";
import type { Lab } from "../lab/lab.ts";
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
  /** Name of the backend, for differences that are documented. */
  readonly backend: string;
  /** States what must be so, and records what was seen. */
  readonly expect: Expect;
}

/** One thing that every backend must show, as a plain value. */
export interface Behaviour {
  /** Stable; cited by code, reports and docs/conformance.md. */
  readonly id: string;
  /** Its number in docs/conformance.md; the further ones have none. */
  readonly number?: number;
  readonly title: string;
  readonly given: string;
  readonly when: string;
  /** The "then" of given, when, then: a property of that name would make the value look like a promise. */
  readonly outcome: string;
  /** `shared` (default): leaves the fixture as it found it. `own`: gets one for itself. `bare`: one that was not started. */
  readonly bed?: "shared" | "own" | "bare";
  /** Default both. */
  readonly families?: readonly Family[];
  /** Default both. */
  readonly temperatures?: readonly Temperature[];
  run(trial: Trial): Promise<void>;
}

/** Gives a behaviour its type. */
export const defineBehaviour = (behaviour: Behaviour): Behaviour => behaviour;
