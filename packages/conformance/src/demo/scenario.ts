import type { Stage } from "./stage.ts";

/** One thing the demo shows. Its name is stable: `docs/demo.md` explains it. */
export interface Scenario {
  readonly name: string;
  /** What a person is to take from it, one line. */
  readonly title: string;
  /** Shows it and returns what was seen, a line each. Throws when it does not hold. */
  show(stage: Stage): Promise<readonly string[]>;
}

/** Something was not as the scenario says. */
export class NotShown extends Error {}

/** Fails the scenario with what was seen instead. */
export function expect(holds: boolean, otherwise: string): asserts holds {
  if (!holds) throw new NotShown(otherwise);
}

/** Fails the scenario unless both are the same text once printed as JSON. */
export function expectSame(what: string, seen: unknown, wanted: unknown): void {
  const [left, right] = [JSON.stringify(seen), JSON.stringify(wanted)];
  expect(left === right, `${what}: expected ${right}, saw ${left}`);
}
