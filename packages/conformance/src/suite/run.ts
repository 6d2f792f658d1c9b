import { accountSince, type LogAccount, notesSoFar } from "../agent/log-account.ts";
import { LabError } from "../errors.ts";
import { FAMILIES, type Family } from "../lab/addresses.ts";
import type { Behaviour, Temperature, Trial } from "./behaviour.ts";
import { type DifferenceId, shownBy } from "./differences.ts";
import { Expect } from "./expect.ts";
import { Testbed, type TestbedOptions } from "./testbed.ts";
import { addTunnels, type TunnelUse } from "./tunnels.ts";

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
  readonly number?: number | "2b";
  readonly title: string;
  readonly family: Family;
  readonly temperature: Temperature;
  readonly passed: boolean;
  /** Making and starting the fixture included. */
  readonly ms: number;
  /** What was seen, in order. */
  readonly evidence: readonly string[];
  /** Ids of the documented differences it went by. */
  readonly differences: readonly DifferenceId[];
  /** Why it failed. */
  readonly failure?: string;
}

/** A behaviour that says nothing about this backend. */
export interface NotApplicable {
  readonly id: string;
  readonly because: string;
}

export interface SuiteOutcome {
  readonly results: readonly TrialResult[];
  readonly notApplicable: readonly NotApplicable[];
  /** Tunnel devices of the node, with what they carried while the shared fixture was up. */
  readonly tunnels: readonly TunnelUse[];
  /** What the fixtures' agents have logged; it is not as it should be where `missing` is not 0. */
  readonly logs: LogAccount;
  /** What is wrong with it. */
  readonly logFailures: readonly string[];
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
export async function runSuite(options: SuiteOptions): Promise<SuiteOutcome> {
  const results: TrialResult[] = [];
  const notes = notesSoFar();
  const foreign = options.behaviours.filter((behaviour) => !isFor(behaviour, options.backend));
  await using beds = new Beds(options);
  for (const one of cases(options)) {
    if (options.signal?.aborted === true) break;
    const result = await runCase(one, options, beds);
    results.push(result);
    options.onResult?.(result);
  }
  await beds.discardAll();
  return {
    results,
    notApplicable: foreign.map(({ id, backends }) => ({ id, because: backends?.because ?? "" })),
    tunnels: beds.tunnels,
    logs: accountSince(notes),
    logFailures: beds.logFailures,
  };
}

const isFor = ({ backends }: Behaviour, backend: string): boolean => backends?.only.includes(backend) ?? true;

function cases({ behaviours, families = FAMILIES, temperatures = TEMPERATURES, backend }: SuiteOptions): Case[] {
  return behaviours
    .filter((behaviour) => isFor(behaviour, backend))
    .flatMap((behaviour) =>
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
  beds: Beds,
): Promise<TrialResult> {
  const { id, title, number } = behaviour;
  const expect = new Expect();
  const differences: DifferenceId[] = [];
  const started = performance.now();
  const result = (outcome: { passed: boolean; failure?: string }): TrialResult => ({
    id,
    ...(number === undefined ? {} : { number }),
    title,
    family,
    temperature,
    ms: Math.round(performance.now() - started),
    evidence: expect.evidence,
    differences,
    ...outcome,
  });
  const difference = (name: DifferenceId): string => {
    const shown = shownBy(name, options.backend);
    differences.push(name);
    expect.note(`documented difference ${name}`, shown.text);
    return shown.as;
  };
  let bed: Testbed | undefined;
  try {
    bed = await beds.get(behaviour);
    const trial: Trial = { lab: bed.lab, bed, family, temperature, backend: options.backend, expect, difference };
    await behaviour.run(trial);
    if (behaviour.bed === "bare") await bed.strip();
    return result({ passed: true });
  } catch (error) {
    // Whatever a trial throws is its result; nothing of it may reach the next trial.
    const failure = describe(error);
    if (bed !== undefined) {
      try {
        for (const [name, what] of Object.entries(await bed.troubles())) expect.note(`troubles: ${name}`, what);
      } catch (second) {
        expect.note("troubles", describe(second));
      }
    }
    const failed = result({ passed: false, failure });
    await beds.discard(behaviour);
    return failed;
  }
}

/** Fixtures, each made when it is first needed and anew after it was discarded. */
class Beds implements AsyncDisposable {
  readonly #options: TestbedOptions;
  readonly #beds = new Map<string, Testbed>();
  #tunnels: readonly TunnelUse[] = [];
  /** Of fixtures that were discarded: their trials may all have passed. */
  readonly logFailures: string[] = [];

  constructor(options: TestbedOptions) {
    this.#options = options;
  }

  /** Tunnels of the shared fixtures that were discarded. */
  get tunnels(): readonly TunnelUse[] {
    return this.#tunnels;
  }

  async get(behaviour: Behaviour): Promise<Testbed> {
    const name = nameOf(behaviour);
    for (const other of this.#beds.keys()) {
      // Nobody comes back to a fixture of one's own.
      if (other.startsWith(OWN) && other !== name) await this.#discard(other);
    }
    const bed = this.#beds.get(name) ?? (await this.#make(behaviour));
    this.#beds.set(name, bed);
    return bed;
  }

  discard(behaviour: Behaviour): Promise<void> {
    return this.#discard(nameOf(behaviour));
  }

  async discardAll(): Promise<void> {
    for (const name of [...this.#beds.keys()]) await this.#discard(name);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.discardAll();
  }

  #make(behaviour: Behaviour): Promise<Testbed> {
    return behaviour.bed === "bare" ? Testbed.bare(this.#options) : Testbed.create(this.#options);
  }

  async #discard(name: string): Promise<void> {
    const bed = this.#beds.get(name);
    if (bed === undefined) return;
    this.#beds.delete(name);
    try {
      await using _ = bed;
      if (name === "shared") this.#tunnels = addTunnels(this.#tunnels, await bed.tunnels());
    } catch (error) {
      // No fault of the trial before or behind: it is told at the end, and fails the run.
      if (!(error instanceof LabError) || error.code !== "ERR_AGENT_LOG") throw error;
      this.logFailures.push(error.message);
    }
  }
}

const OWN = "own ";
const nameOf = ({ bed = "shared", id }: Behaviour): string => (bed === "own" ? `${OWN}${id}` : bed);

function describe(error: unknown): string {
  if (error instanceof SuppressedError)
    return `${describe(error.suppressed)}\nand while cleaning up: ${describe(error.error)}`;
  return error instanceof Error ? error.message : String(error);
}
