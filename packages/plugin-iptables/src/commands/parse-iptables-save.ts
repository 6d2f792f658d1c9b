/** One rule as it was printed. */
export interface SavedRule {
  /** `-A CHAIN …` to the end of the line, without counters: what iptables-restore takes. */
  readonly text: string;
  readonly counters?: Counters;
}

export interface Counters {
  readonly packets: number;
  readonly bytes: number;
}

export interface SavedChain {
  readonly name: string;
  /** `ACCEPT` or `DROP` of a built-in chain; a chain that somebody made has none. */
  readonly policy: string | undefined;
  /** Of the policy: what reached the end of a built-in chain. */
  readonly counters: Counters;
  /** In order. */
  readonly rules: readonly SavedRule[];
}

export interface SavedRules {
  /** By name of table, then of chain, as printed. A table that does not exist is not in it. */
  readonly tables: ReadonlyMap<string, ReadonlyMap<string, SavedChain>>;
  /** Tables that hold rules of nft(8) which iptables cannot print: nothing of them is in `tables`. */
  readonly unreadable: readonly string[];
}

const CHAIN = /^:(\S+) (\S+) \[(\d+):(\d+)\]$/;
const RULE = /^(?:\[(\d+):(\d+)\] )?(-A (\S+)(?: .*)?)$/;
/** iptables 1.8.9, iptables/xtables-save.c. */
const UNREADABLE = /^# Table `([^']+)' is incompatible/;

/**
 * Reads what iptables-save prints: `*table`, `:CHAIN POLICY [packets:bytes]`, rules, `COMMIT`, comments. Throws a SyntaxError for any
 * other line.
 */
export function parseIptablesSave(text: string): SavedRules {
  const tables = new Map<string, Map<string, SavedChain & { rules: SavedRule[] }>>();
  const unreadable: string[] = [];
  let table: Map<string, SavedChain & { rules: SavedRule[] }> | undefined;
  for (const [index, line] of text.split("\n").entries()) {
    const unexpected = () => new SyntaxError(`line ${index + 1} of iptables-save is unexpected: ${line}`);
    if (line === "" || line.startsWith("#")) {
      const name = UNREADABLE.exec(line)?.[1];
      if (name !== undefined) unreadable.push(name);
    } else if (line.startsWith("*")) {
      table = new Map();
      tables.set(line.slice(1), table);
    } else if (line === "COMMIT") {
      table = undefined;
    } else if (line.startsWith(":")) {
      const [, name, policy, packets, bytes] = CHAIN.exec(line) ?? [];
      if (table === undefined || name === undefined) throw unexpected();
      const counters = { packets: Number(packets), bytes: Number(bytes) };
      table.set(name, { name, policy: policy === "-" ? undefined : policy, counters, rules: [] });
    } else {
      const [, packets, bytes, rule, name] = RULE.exec(line) ?? [];
      const chain = name === undefined ? undefined : table?.get(name);
      if (chain === undefined || rule === undefined) throw unexpected();
      const counters = packets === undefined ? {} : { counters: { packets: Number(packets), bytes: Number(bytes) } };
      chain.rules.push({ text: rule, ...counters });
    }
  }
  return { tables, unreadable };
}
