import { FAMILIES, type Family } from "../lab/addresses.ts";
import type { Behaviour, Temperature } from "./behaviour.ts";
import { Expect } from "./expect.ts";
import { Testbed, type TestbedOptions } from "./testbed.ts";

export interface SuiteOptions extends TestbedOptions {
  readonly behaviours: readonly Behaviour[];
  readonly families?: readonly Family[];
  readonly temperatures?: readonly Temperature[];
  /** Called as soon as each trial has ended. */
  readonly onResult?: (result: TrialResult) => void;
  readonly signal?: AbortSignal;
}

export interface TrialResult {
  readonly id: string;
  readonly number?: number;
  readonly title: string;
  readonly family: Family;
  readonly temperature: Temperature;
  readonly passed: boolean;
  readonly ms: number;
  /** What was seen, in order. */
  readonly evidence: readonly string[];
  /** Why it failed. */
  readonly failure?: string;
}

const TEMPERATURES: readonly Temperature[] = ["cold", "warm"];

/** One behaviour in one family and temperature. */
interface Case {
  readonly behaviour: Behaviour;
  readonly family: Family;
  readonly temperature: Temperature;
}

/**
 * Runs every behaviour in every family and temperature it is meant for. Behaviours that leave the fixture as they found it
 * share one; after a failure the next gets a new one, so that no failure causes another.
 */
export async function runSuite(options: SuiteOptions): Promise<TrialResult[]> {
  const results: TrialResult[] = [];
  await using shared = new SharedBed(options);
  for (const one of cases(options)) {
    if (options.signal?.aborted === true) break;
    const result = await runCase(one, options, shared);
    results.push(result);
    options.onResult?.(result);
  }
  return results;
}

function cases({ behaviours, families = FAMILIES, temperatures = TEMPERATURES }: SuiteOptions): Case[] {
  return behaviours.flatMap((behaviour) =>
    families
      .filter((family) => behaviour.families?.includes(family) ?? true)
      .flatMap((family) =>
        temperatures
          .filter((temperature) => behaviour.temperatures?.includes(temperature) ?? true)
          .map((temperature) => ({ behaviour, family, temperature })),
      ),
  );
}

async function runCase(
  { behaviour, family, temperature }: Case,
  options: SuiteOptions,
  shared: SharedBed,
): Promise<TrialResult> {
  const { id, title, number } = behaviour;
  const expect = new Expect();
  const started = performance.now();
  const result = (outcome: { passed: boolean; failure?: string }): TrialResult => ({
    id,
    ...(number === undefined ? {} : { number }),
    title,
    family,
    temperature,
    ms: Math.round(performance.now() - started),
    evidence: expect.evidence,
    ...outcome,
  });
  try {
    const kind = behaviour.bed ?? "shared";
    if (kind === "shared") {
      const bed = await shared.get();
      await behaviour.run({ lab: bed.lab, bed, family, temperature, backend: options.backend, expect });
    } else {
      await using bed = await (kind === "own" ? Testbed.create(options) : Testbed.bare(options));
      await behaviour.run({ lab: bed.lab, bed, family, temperature, backend: options.backend, expect });
    }
    return result({ passed: true });
  } catch (error) {
    // Whatever a trial throws is its result; nothing of it may reach the next trial.
    const failed = result({ passed: false, failure: describe(error) });
    await shared.discard();
    return failed;
  }
}

/** A fixture that is made when it is first needed, and anew after it was discarded. */
class SharedBed implements AsyncDisposable {
  readonly #options: TestbedOptions;
  #bed: Testbed | undefined;

  constructor(options: TestbedOptions) {
    this.#options = options;
  }

  async get(): Promise<Testbed> {
    this.#bed ??= await Testbed.create(this.#options);
    return this.#bed;
  }

  async discard(): Promise<void> {
    const bed = this.#bed;
    this.#bed = undefined;
    await bed?.[Symbol.asyncDispose]();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.discard();
  }
}

function describe(error: unknown): string {
  if (error instanceof SuppressedError)
    return `${describe(error.suppressed)}\nand while cleaning up: ${describe(error.error)}`;
  return error instanceof Error ? error.message : String(error);
}
