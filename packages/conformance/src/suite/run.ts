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
  /** Ids of the behaviours that the backend claims; the others are not run. Default: all of them. */
  readonly claims?: readonly string[];
  readonly families?: readonly Family[];
  readonly temperatures?: readonly Temperature[];
  /** The fixture of the last trial, or of the first that fails, which ends the run, is left as it is: see {@link SuiteOutcome.kept}. */
  readonly keep?: boolean;
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

/** A behaviour that the backend does not claim to show. */
export type Unclaimed = Pick<TrialResult, "id" | "number" | "title">;

export interface SuiteOutcome {
  readonly results: readonly TrialResult[];
  readonly notApplicable: readonly NotApplicable[];
  /** Neither passed nor failed, and nobody left them out: what the backend does not say of itself. */
  readonly unclaimed: readonly Unclaimed[];
  /** Tunnel devices of the node, with what they carried while the shared fixture was up. */
  readonly tunnels: readonly TunnelUse[];
  /** What the fixtures' agents have logged; it is not as it should be where `missing` is not 0. */
  readonly logs: LogAccount;
  /** What is wrong with it. */
  readonly logFailures: readonly string[];
  /** What `keep` asked for: still running, and the caller's to dispose of. */
  readonly kept?: Testbed;
}

const TEMPERATURES: readonly Temperature[] = ["cold", "warm"];

/** One behaviour in one family and temperature. */
export interface Case {
  readonly behaviour: Behaviour;
  readonly family: Family;
  readonly temperature: Temperature;
}

/** Runs every behaviour in every family and temperature it is meant for. */
export async function runSuite(options: SuiteOptions): Promise<SuiteOutcome> {
  await using suite = new Suite(options);
  for (const one of suite.cases) {
    if (options.signal?.aborted === true) break;
    const { passed } = await suite.run(one);
    if (!passed && options.keep === true) break;
  }
  return suite.end();
}

/**
 * A run, trial by trial. Behaviours that leave the fixture as they found it share one; after a failure the next gets a new one, so that
 * no failure causes another.
 */
export class Suite implements AsyncDisposable {
  /** What there is to run, in order. */
  readonly cases: readonly Case[];
  readonly unclaimed: readonly Unclaimed[];
  readonly notApplicable: readonly NotApplicable[];
  readonly #options: SuiteOptions;
  readonly #beds: Beds;
  readonly #results: TrialResult[] = [];
  readonly #notes = notesSoFar();

  constructor(options: SuiteOptions) {
    const { behaviours, claims } = options;
    const isFor = ({ backends }: Behaviour) => backends?.only.includes(kindOf(options)) ?? true;
    const isClaimed = ({ id }: Behaviour) => claims?.includes(id) ?? true;
    this.#options = options;
    this.#beds = new Beds(options);
    this.unclaimed = behaviours.filter((behaviour) => !isClaimed(behaviour)).map(nameOfTrial);
    this.notApplicable = behaviours
      .filter((behaviour) => isClaimed(behaviour) && !isFor(behaviour))
      .map(({ id, backends }) => ({ id, because: backends?.because ?? "" }));
    this.cases = casesOf(
      options,
      behaviours.filter((behaviour) => isClaimed(behaviour) && isFor(behaviour)),
    );
  }

  /** Runs one of {@link cases}. Whatever it throws is its result. */
  async run(one: Case): Promise<TrialResult> {
    const result = await runCase(one, this.#options, this.#beds, one === this.cases.at(-1));
    this.#results.push(result);
    this.#options.onResult?.(result);
    return result;
  }

  /** Takes the fixtures down, but for the one to keep, and tells what there was. */
  async end(): Promise<SuiteOutcome> {
    const kept = this.#options.keep === true ? this.#beds.keepLast() : undefined;
    await this.#beds.discardAll();
    return {
      results: this.#results,
      notApplicable: this.notApplicable,
      unclaimed: this.unclaimed,
      tunnels: this.#beds.tunnels,
      logs: accountSince(this.#notes),
      logFailures: this.#beds.logFailures,
      ...(kept === undefined ? {} : { kept }),
    };
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#beds.discardAll();
  }
}

/** The backend whose documented differences and objects a run goes by. */
const kindOf = ({ backend, like }: TestbedOptions): string => like ?? backend;

const nameOfTrial = ({ id, number, title }: Behaviour): Unclaimed => ({
  id,
  ...(number === undefined ? {} : { number }),
  title,
});

function casesOf(
  { families = FAMILIES, temperatures = TEMPERATURES }: SuiteOptions,
  behaviours: readonly Behaviour[],
): Case[] {
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
  beds: Beds,
  isLast: boolean,
): Promise<TrialResult> {
  const expect = new Expect();
  const differences: DifferenceId[] = [];
  const started = performance.now();
  const result = (outcome: { passed: boolean; failure?: string }): TrialResult => ({
    ...nameOfTrial(behaviour),
    family,
    temperature,
    ms: Math.round(performance.now() - started),
    evidence: expect.evidence,
    differences,
    ...outcome,
  });
  const difference = (name: DifferenceId): string => {
    const shown = shownBy(name, kindOf(options));
    differences.push(name);
    expect.note(`documented difference ${name}`, shown.text);
    return shown.as;
  };
  const isKept = options.keep === true;
  let bed: Testbed | undefined;
  try {
    bed = await beds.get(behaviour);
    const trial: Trial = { lab: bed.lab, bed, family, temperature, backend: kindOf(options), expect, difference };
    await behaviour.run(trial);
    if (behaviour.bed === "bare" && !(isKept && isLast)) await bed.strip();
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
    if (!isKept) await beds.discard(behaviour);
    return failed;
  }
}

/** Fixtures, each made when it is first needed and anew after it was discarded. */
class Beds implements AsyncDisposable {
  readonly #options: TestbedOptions;
  readonly #beds = new Map<string, Testbed>();
  #tunnels: readonly TunnelUse[] = [];
  #last: string | undefined;
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
    this.#last = name;
    for (const other of this.#beds.keys()) {
      // Nobody comes back to a fixture of one's own.
      if (other.startsWith(OWN) && other !== name) await this.#discard(other);
    }
    const bed = this.#beds.get(name) ?? (await this.#make(behaviour));
    this.#beds.set(name, bed);
    return bed;
  }

  /** Lets go of the fixture that was asked for last. */
  keepLast(): Testbed | undefined {
    const bed = this.#last === undefined ? undefined : this.#beds.get(this.#last);
    if (bed === undefined || this.#last === undefined) return undefined;
    this.#beds.delete(this.#last);
    for (const { agentLogs } of bed.lab.nodes) agentLogs.leave("the lab was kept");
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
