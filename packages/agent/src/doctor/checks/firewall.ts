import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { promisify } from "node:util";
import { errorCode } from "@millrace/core/internal";
import type { Check, Finding } from "../check.ts";

const run = promisify(execFile);
const TIMEOUT_MS = 5_000;
const MAX_OUTPUT = 64 * 1024 * 1024;
const SHOWN = 4;

interface Source {
  readonly command: readonly [file: string, ...args: string[]];
  /** Asking it would load the module that it shows the tables of: only asked where there are such tables already. */
  readonly onlyIf?: () => boolean;
}

/** What prints whole rule sets. `nft` shows what iptables-nft and ebtables-nft made as well, but not always in words. */
const SOURCES: readonly Source[] = [
  { command: ["iptables-nft-save"] },
  { command: ["ip6tables-nft-save"] },
  { command: ["iptables-legacy-save"], onlyIf: () => hasTables("/proc/net/ip_tables_names") },
  { command: ["ip6tables-legacy-save"], onlyIf: () => hasTables("/proc/net/ip6_tables_names") },
  { command: ["nft", "--stateless", "list", "ruleset"] },
  { command: ["ebtables-save"] },
];

/** A kind of rule that may drop what a proxy sends with a pod's address, and how it looks in each language. */
interface Guard {
  readonly name: string;
  readonly what: string;
  readonly rule: RegExp;
}

const GUARDS: readonly Guard[] = [
  {
    name: "firewall rpfilter",
    what: "reverse path tests",
    // iptables' rpfilter match (Calico, firewalld); nftables' fib expression (firewalld's IPv6_rpfilter)
    rule: /-m rpfilter\b|\bfib saddr\b.*\boif\b/,
  },
  {
    name: "spoof guards",
    what: "guards against foreign source addresses",
    // nftables (the CNI bridge plugin's macspoofchk, libvirt); ebtables; iptables by interface
    rule: /\b(?:ip|ip6|ether) saddr != .*\bdrop\b|! --ip6?-src(?:ource)? .*-j DROP|-p \S+ .*--arp-ip-src ! .*-j DROP|-i \S+ ! -s \S+ .*-j DROP|! -s \S+ -i \S+ .*-j DROP/,
  },
];

/** The rules of a printed rule set that are of a kind, each once. */
export function matchingRules(ruleset: string, rule: RegExp): readonly string[] {
  const lines = ruleset.split("\n").map((line) => line.trim());
  return [...new Set(lines.filter((line) => rule.test(line)))];
}

/** What was read, by program; undefined stands for a program that is not installed. */
export type RuleSets = ReadonlyMap<string, string | undefined>;

export function firewallFindings(ruleSets: RuleSets): readonly Finding[] {
  const installed = [...ruleSets].filter((entry): entry is [string, string] => entry[1] !== undefined);
  return GUARDS.map(({ name, what, rule }) => {
    const found = installed.flatMap(([program, text]) =>
      matchingRules(text, rule).map((line) => `${program}: ${line}`),
    );
    if (found.length > 0) {
      const more = found.length > SHOWN ? ` and ${found.length - SHOWN} more` : "";
      const detail = `${what} that may drop what a proxy sends for a pod: ${found.slice(0, SHOWN).join("; ")}${more}`;
      return { name, state: "warn", detail };
    }
    if (installed.length === 0) {
      return { name, state: "unknown", detail: "neither iptables nor nft is installed to look with" };
    }
    return { name, state: "good", detail: `no ${what}` };
  });
}

async function read({ command: [file, ...args], onlyIf }: Source): Promise<string | undefined> {
  if (onlyIf?.() === false) return undefined;
  try {
    return (await run(file, args, { timeout: TIMEOUT_MS, maxBuffer: MAX_OUTPUT })).stdout;
  } catch (error) {
    if (errorCode(error) === "ENOENT") return undefined; // not installed here: nothing that could be read
    throw new Error(`${file} did not print its rules`, { cause: error });
  }
}

/** These files list the tables that exist; they are there only once the module is. */
function hasTables(file: string): boolean {
  try {
    return readFileSync(file, "utf8").trim() !== "";
  } catch (error) {
    if (errorCode(error) === "ENOENT") return false;
    throw error;
  }
}

/**
 * Reverse path tests and spoof guards in the firewall do what rp_filter does, and no sysctl shows them: a node proxy sends with the
 * addresses of its clients, by its own interface.
 */
export const firewall: Check = async () => {
  const texts = await Promise.all(SOURCES.map(async (source) => [source.command[0], await read(source)] as const));
  return firewallFindings(new Map(texts));
};
