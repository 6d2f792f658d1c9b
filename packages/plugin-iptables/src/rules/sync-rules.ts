import { iptablesRestore, iptablesSave } from "../commands/iptables.ts";
import type { Flavour, TableName } from "../commands/iptables-names.ts";
import type { SavedChain, SavedRules } from "../commands/parse-iptables-save.ts";
import type { NetnsPlace } from "../commands/run.ts";
import { isOurChain } from "../layout.ts";
import type { PrintedChains, PrintedRules } from "./printed-rules.ts";
import { type Chain, type Ruleset, renderChains, renderTables } from "./ruleset.ts";

/** Where rules are, and the name by which that place is remembered. */
export interface RulesPlace {
  readonly name: string;
  readonly netns: NetnsPlace;
  readonly flavour: Flavour;
  readonly printed: PrintedRules;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Makes our chains be as given and the first thing that their hooks do, in one transaction; writes nothing when they are. Chains of ours
 * that are not wanted any more go in the same transaction.
 */
export async function ensureRules(place: RulesPlace, ruleset: Ruleset): Promise<boolean> {
  const saved = await save(place, ruleset);
  if (ruleProblems(place, ruleset, saved).length === 0) return false;
  const text = renderChains(ruleset, (table) => jumps(ruleset, saved, table));
  await iptablesRestore({ ...where(place, ruleset), text });
  const stale = renderRemoval(saved, new Set(ruleset.chains.map(keyOf)));
  if (stale !== "") await iptablesRestore({ ...where(place, ruleset), text: stale });
  place.printed.set(noteOf(place, ruleset), renderChains(ruleset), ownChains(await save(place, ruleset)));
  return true;
}

/** Reads what is there, once for all questions about it. */
export function save(place: RulesPlace, { family }: Pick<Ruleset, "family">, counters = false): Promise<SavedRules> {
  return iptablesSave({ ...where(place, { family }), counters });
}

/** What is missing, different or left over, in short phrases. */
export function ruleProblems(place: RulesPlace, ruleset: Ruleset, saved: SavedRules): string[] {
  const { family } = ruleset;
  const printed = place.printed.get(noteOf(place, ruleset), renderChains(ruleset));
  if (printed === undefined) return [`IPv${family} rules are others than wanted`];
  const present = ownChains(saved);
  return [
    ...ruleset.chains.flatMap((chain) => [
      ...chainProblems(family, keyOf(chain), printed, present),
      ...jumpProblems(family, chain, saved),
    ]),
    ...Object.keys(present)
      .filter((key) => !ruleset.chains.some((chain) => keyOf(chain) === key))
      .map((key) => `IPv${family} chain ${key} is left over`),
  ];
}

/** Takes all chains of ours out, and the jumps to them. */
export async function removeRules(place: RulesPlace): Promise<void> {
  for (const family of [4, 6] as const) {
    const saved = await save(place, { family });
    const text = renderRemoval(saved, new Set());
    if (text !== "") await iptablesRestore({ ...where(place, { family }), text });
    place.printed.delete(noteOf(place, { family }));
  }
}

/** Takes out what an earlier run has written in the other flavour, once the same stands in this one. */
export async function removeLeftBehind(place: RulesPlace, leftBehind: Flavour | undefined): Promise<void> {
  if (leftBehind === undefined) return;
  await removeRules({ ...place, name: `${place.name}-${leftBehind}`, flavour: leftBehind });
}

const where = ({ flavour, netns, signal }: RulesPlace, { family }: Pick<Ruleset, "family">) => ({
  flavour,
  family,
  netns,
  signal,
});

const noteOf = ({ name }: RulesPlace, { family }: Pick<Ruleset, "family">): string => `${name}-ipv${family}`;

const keyOf = ({ table, name }: Pick<Chain, "table" | "name">): string => `${table} ${name}`;

function chainProblems(family: number, key: string, printed: PrintedChains, present: PrintedChains): string[] {
  const wanted = printed[key] ?? [];
  const found = present[key];
  if (found === undefined) return [`IPv${family} chain ${key} is missing`];
  const missing = wanted
    .filter((rule) => !found.includes(rule))
    .map((rule) => `IPv${family} rule ${key.split(" ")[0]} ${rule} is missing`);
  const foreign = found
    .filter((rule) => !wanted.includes(rule))
    .map((rule) => `IPv${family} rule ${key.split(" ")[0]} ${rule} is not ours`);
  if (missing.length + foreign.length > 0) return [...missing, ...foreign];
  return wanted.join("\n") === found.join("\n") ? [] : [`IPv${family} chain ${key} has its rules in another order`];
}

/** Exactly one jump, and it comes first. */
function jumpProblems(family: number, { table, name, hook }: Chain, saved: SavedRules): string[] {
  if (hook === undefined) return [];
  const rules = saved.tables.get(table)?.get(hook)?.rules ?? [];
  const at = rules.flatMap(({ text }, index) => (text === `-A ${hook} -j ${name}` ? [index] : []));
  if (at.length === 0) return [`IPv${family} jump from ${table} ${hook} is missing`];
  if (at.length > 1) return [`IPv${family} jump from ${table} ${hook} is there ${at.length} times`];
  return at[0] === 0 ? [] : [`IPv${family} jump from ${table} ${hook} comes behind: ${rules[0]?.text}`];
}

/** Moves the jumps of a table to where they belong. */
function jumps({ family, chains }: Ruleset, saved: SavedRules, table: TableName): string[] {
  return chains
    .filter((chain) => chain.table === table && jumpProblems(family, chain, saved).length > 0)
    .flatMap(({ name, hook }) => [
      ...jumpsTo(saved, table, name).map(({ text }) => text.replace(/^-A/, "-D")),
      `-I ${hook} 1 -j ${name}`,
    ]);
}

/** Removes chains of ours that are not among `kept`. A chain can go only once nothing leads to it and it is empty. */
function renderRemoval(saved: SavedRules, kept: ReadonlySet<string>): string {
  return renderTables((table) => {
    const doomed = [...(saved.tables.get(table)?.values() ?? [])]
      .map(({ name }) => name)
      .filter((name) => isOurChain(name) && !kept.has(`${table} ${name}`));
    return [
      ...doomed.flatMap((name) => jumpsTo(saved, table, name).map(({ text }) => text.replace(/^-A/, "-D"))),
      ...doomed.map((name) => `-F ${name}`),
      ...doomed.map((name) => `-X ${name}`),
    ];
  });
}

/** Rules outside our chains that lead to one of them. */
function jumpsTo(saved: SavedRules, table: TableName, name: string): { text: string }[] {
  const chains: SavedChain[] = [...(saved.tables.get(table)?.values() ?? [])];
  return chains
    .filter((chain) => !isOurChain(chain.name))
    .flatMap(({ rules }) => rules.filter(({ text }) => text.split(" ").at(-1) === name));
}

function ownChains(saved: SavedRules): Record<string, string[]> {
  return Object.fromEntries(
    [...saved.tables].flatMap(([table, chains]) =>
      [...chains.values()]
        .filter(({ name }) => isOurChain(name))
        .map(({ name, rules }) => [`${table} ${name}`, rules.map(({ text }) => text)]),
    ),
  );
}
