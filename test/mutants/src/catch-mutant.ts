import { fileURLToPath } from "node:url";
import { behaviours, type Case, Suite } from "@millrace/conformance";
import type { Mutant } from "./mutant.ts";

const PLUGIN = fileURLToPath(new URL(import.meta.url.endsWith(".js") ? "./plugin.js" : "./plugin.ts", import.meta.url));

/** What a mutant is run against: its own behaviour, or all the others too. */
export type Scope = "own" | "all";

/** What became of a mutant. */
export interface Catch {
  readonly number: number;
  readonly behaviour: string;
  readonly change: string;
  /** In which it was run of its own behaviour: `IPv4 cold`. */
  readonly where: string;
  /** Its behaviour failed, and as it has to. */
  readonly caught: boolean;
  /** Why: the first line. */
  readonly failure: string;
  /** Ids of the others, as far as they were run. */
  readonly passed: readonly string[];
  readonly failed: readonly string[];
}

/** Of the numbered ones, 300 pods are run for their own mutant only: they take as long as all the others. */
const OWN_ONLY = ["scale-and-exclusion"];

/** Runs a mutant: its behaviour where it shows, the others over IPv4, cold, or the first they are meant for. */
export async function catchMutant(mutant: Mutant, scope: Scope): Promise<Catch> {
  await using suite = new Suite({
    backend: "mutant",
    like: "ebpf",
    backendConfig: { wrong: mutant.behaviour },
    plugins: [PLUGIN],
    prefix: "mrm",
    behaviours: behaviours.filter(
      ({ id, number }) => id === mutant.behaviour || (scope === "all" && isOther(number, id)),
    ),
  });
  const ids = [...new Set(suite.cases.map(({ behaviour }) => behaviour.id))];
  const passed: string[] = [];
  const failed: string[] = [];
  let own: { one: Case; failure: string | undefined } | undefined;
  for (const id of ids) {
    const one = caseOf(suite, id, mutant);
    const result = await suite.run(one);
    if (id === mutant.behaviour) own = { one, failure: result.failure };
    else (result.passed ? passed : failed).push(id);
  }
  await suite.end();
  if (own === undefined) throw new RangeError(`no behaviour ${mutant.behaviour} was run`);
  const { one, failure } = own;
  return {
    number: Number(one.behaviour.number),
    behaviour: mutant.behaviour,
    change: mutant.change,
    where: `IPv${one.family} ${one.temperature}`,
    caught: failure !== undefined && mutant.failure.test(failure),
    failure: failure?.split("\n")[0] ?? "",
    passed,
    failed,
  };
}

const isOther = (number: unknown, id: string): boolean => typeof number === "number" && !OWN_ONLY.includes(id);

function caseOf(suite: Suite, id: string, mutant: Mutant): Case {
  const cases = suite.cases.filter(({ behaviour }) => behaviour.id === id);
  const { family = 4, temperature = "cold" } = id === mutant.behaviour ? mutant : {};
  const one =
    cases.find((candidate) => candidate.family === family && candidate.temperature === temperature) ?? cases[0];
  if (one === undefined) throw new RangeError(`nothing to run of ${id}`);
  return one;
}
