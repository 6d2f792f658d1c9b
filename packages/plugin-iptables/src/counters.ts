import type { SavedRules } from "./commands/parse-iptables-save.ts";
import { PREFIX } from "./layout.ts";

/** What a rule of ours did with the packets it saw, from its text. */
const VERDICTS: readonly [RegExp, string][] = [
  [/-j DROP$/, "dropped"],
  [/-j REJECT\b/, "rejected"],
  [/-j ACCEPT$/, "accepted"],
  [/-j TEE\b/, "copied"],
  [/-j DNAT\b/, "translated"],
];

/** Chains that only mark, and what their first rule counts. */
const MARKS: readonly [RegExp, string][] = [
  [/^PASS$/, "passed"],
  [/^PASS-ALL$/, "passed"],
  [/^OUT$/, "captured"],
  [/^IN$/, "offered"],
  [/^EXCLUDED$/, "excluded"],
  [/^DIRECT-\d+$/, "direct"],
  [/^PROXY-\d+$/, "answered"],
];

/** Packets by `chain.verdict`, both families together. They start again when rules are written. */
export function countersOf(saved: readonly SavedRules[]): Record<string, number> {
  const counters: Record<string, number> = {};
  const count = (name: string, packets: number): void => {
    counters[name] = (counters[name] ?? 0) + packets;
  };
  for (const { tables } of saved) {
    for (const [table, chains] of tables) {
      for (const { name, rules } of chains.values()) {
        if (!name.startsWith(`${PREFIX}-`)) continue;
        const short = name.slice(PREFIX.length + 1);
        const chain = `${table}.${short.toLowerCase()}`;
        const marked = table === "mangle" && MARKS.find(([pattern]) => pattern.test(short))?.[1];
        if (marked) {
          const packets = rules.findLast(({ text }) => / (-j|-g) (MARK|MILLRACE)/.test(text))?.counters?.packets;
          count(`${chain}.${marked}`, packets ?? 0);
        }
        for (const { text, counters: seen } of rules) {
          const verdict = VERDICTS.find(([pattern]) => pattern.test(text))?.[1];
          if (verdict !== undefined) count(`${chain}.${verdict}`, seen?.packets ?? 0);
        }
      }
    }
  }
  return counters;
}
