import { byExclusion } from "./by-exclusion.ts";
import { byRule } from "./by-rule.ts";
import { byVerb } from "./by-verb.ts";
import type { Mutant } from "./mutant.ts";

/** One for each numbered behaviour. */
export const mutants: readonly Mutant[] = [...byExclusion, ...byRule, ...byVerb];

/** The mutant that a behaviour has to catch. Throws RangeError. */
export function mutantOf(behaviour: string): Mutant {
  const mutant = mutants.find((candidate) => candidate.behaviour === behaviour);
  if (mutant === undefined) throw new RangeError(`no mutant is made for ${behaviour}`);
  return mutant;
}
