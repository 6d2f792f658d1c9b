import type { Family } from "linux-ts";
import type { CommandError } from "../commands/command-error.ts";
import { iptablesRestore, iptablesSave, legacyTables } from "../commands/iptables.ts";
import { type Flavour, flavours, iptablesProgram } from "../commands/iptables-names.ts";
import type { NetnsPlace } from "../commands/run.ts";
import { IptablesError } from "../errors.ts";
import { openTrialNetns } from "../trial-netns.ts";
import { decideFlavour, type FlavourChoice } from "./decide-flavour.ts";
import { countUse, type FlavourUse } from "./flavour-use.ts";

export interface FlavourQuestion {
  /** What the configuration says. */
  readonly wanted: "auto" | Flavour;
  /** Tells a chain of this backend by its name. */
  readonly isOurs: (chain: string) => boolean;
  /** Those that the node has. */
  readonly families: readonly Family[];
  readonly netns?: NetnsPlace;
  readonly signal?: AbortSignal | undefined;
}

export interface FlavourAnswer extends FlavourChoice {
  /** The flavour that is not chosen holds rules of ours: an earlier run had another configuration. They have to be removed there. */
  readonly leftBehind: Flavour | undefined;
}

/**
 * Finds the flavour of iptables that all parts of the backend use. Reads both; writes only into a network namespace of its own, and
 * legacy rules only where nothing else would do, because trying them loads modules that no host with nft wants.
 *
 * Throws `ERR_NO_FLAVOUR` when what the configuration asks for, or everything, does not work here.
 */
export async function chooseFlavour(question: FlavourQuestion): Promise<FlavourAnswer> {
  const { wanted } = question;
  const [nft, legacy] = await Promise.all([survey("nft", question), survey("legacy", question)]);
  const found = { nft, legacy };
  if (found.nft.problem === undefined && wanted !== "legacy") {
    found.nft = { ...found.nft, problem: await tryFlavour("nft", question.signal) };
  }
  const onlyLegacyIsLeft = found.nft.problem !== undefined || wanted === "legacy";
  if (found.legacy.problem === undefined && onlyLegacyIsLeft) {
    found.legacy = { ...found.legacy, problem: await tryFlavour("legacy", question.signal) };
  }
  const choice = wanted === "auto" ? decideFlavour(found.nft, found.legacy) : asConfigured(found[wanted]);
  const other = flavours.find((flavour) => flavour !== choice.flavour) as Flavour;
  return { ...choice, leftBehind: found[other].ours > 0 ? other : undefined };
}

function asConfigured({ flavour, problem }: FlavourUse): FlavourChoice {
  if (problem === undefined) return { flavour, reason: "the configuration says so" };
  throw new IptablesError(
    "ERR_NO_FLAVOUR",
    `the configuration asks for iptables-${flavour} (backends.iptables.flavour), which does not work here: ${problem}`,
  );
}

async function survey(flavour: Flavour, { isOurs, families, netns, signal }: FlavourQuestion): Promise<FlavourUse> {
  try {
    const saved = await Promise.all(families.map((family) => iptablesSave({ flavour, family, netns, signal })));
    return countUse(flavour, saved, isOurs);
  } catch (error) {
    const { code, message } = error as CommandError;
    if (code === "ERR_ABORTED" || code === "ERR_NOT_PERMITTED") throw error;
    if (flavour === "legacy" && code === "ERR_COMMAND_MISSING") await refuseUnseenRules(message, { netns, signal });
    return { ...countUse(flavour, [], isOurs), problem: message };
  }
}

/** Somebody has legacy rules and this image lacks the program to read them: choosing nft now would be guessing. */
async function refuseUnseenRules(message: string, where: Pick<FlavourQuestion, "netns" | "signal">): Promise<void> {
  const tables = await legacyTables(4, where);
  if (tables.length === 0) return;
  throw new IptablesError(
    "ERR_COMMAND_MISSING",
    `the host has legacy tables (${tables.join(", ")}), which cannot be read: ${message}`,
  );
}

/** Needs a match and a target that come from x_tables in both flavours (nft_compat), in a table that both make on demand. */
const TRIAL = "*mangle\n:TRIAL - [0:0]\n-A TRIAL -m connmark --mark 0x1/0x1 -j MARK --set-xmark 0x1/0x1\nCOMMIT\n";

/** What the kernel says to one rule in a namespace of its own; undefined when it takes it, in IPv4. */
export async function tryFlavour(flavour: Flavour, signal?: AbortSignal): Promise<string | undefined> {
  using trial = await openTrialNetns();
  try {
    await iptablesRestore({ flavour, family: 4, netns: trial.fd, text: TRIAL, signal });
    return undefined;
  } catch (error) {
    const { code, message } = error as CommandError;
    if (code === "ERR_ABORTED" || code === "ERR_NOT_PERMITTED") throw error;
    return `${iptablesProgram(flavour, 4)} cannot write a rule: ${message}`;
  }
}
