import type { Family } from "linux-ts";
import type { TableName } from "../commands/iptables-names.ts";

/** Rules of one chain: each is what stands behind `-A CHAIN`. */
export interface Chain {
  readonly table: TableName;
  readonly name: string;
  readonly rules: readonly string[];
  /** The built-in chain that jumps here before anything else. */
  readonly hook?: "PREROUTING" | "INPUT" | "FORWARD" | "OUTPUT" | "POSTROUTING";
}

/** Everything of one family in one network namespace. */
export interface Ruleset {
  readonly family: Family;
  readonly chains: readonly Chain[];
}

/** A rule, several, or none where it does not apply. */
export type Part = string | false | undefined | readonly string[];

/** Leaves out what does not apply. */
export function lines(...parts: readonly Part[]): string[] {
  return parts.flatMap((part) => (part === false || part === undefined ? [] : part));
}

/** The order in which a packet meets them. */
const TABLES: readonly TableName[] = ["raw", "mangle", "nat", "filter"];

/**
 * What iptables-restore takes: our chains are emptied and filled, and `more` follows in the same transaction of its table. Built-in
 * chains are not touched.
 */
export function renderChains({ chains }: Ruleset, more: (table: TableName) => readonly string[] = () => []): string {
  return renderTables((table) => {
    const own = chains.filter((chain) => chain.table === table);
    return [
      ...own.map(({ name }) => `:${name} - [0:0]`),
      ...own.flatMap(({ name, rules }) => rules.map((rule) => `-A ${name} ${rule}`)),
      ...more(table),
    ];
  });
}

export function renderTables(linesOf: (table: TableName) => readonly string[]): string {
  return TABLES.map((table) => ({ table, content: linesOf(table) }))
    .filter(({ content }) => content.length > 0)
    .map(({ table, content }) => `*${table}\n${content.join("\n")}\nCOMMIT\n`)
    .join("");
}
