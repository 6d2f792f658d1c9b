import { execFile } from "node:child_process";
import { promisify } from "node:util";
import type { Check, Finding } from "../check.ts";

const run = promisify(execFile);
const TIMEOUT_MS = 5_000;
const MAX_OUTPUT = 64 * 1024 * 1024;

/** What prints a whole rule set, and how a reverse path test looks in it. */
const SOURCES = [
  { command: ["iptables-save"], rule: /-m rpfilter\b/ },
  { command: ["ip6tables-save"], rule: /-m rpfilter\b/ },
  { command: ["nft", "--stateless", "list", "ruleset"], rule: /\bfib saddr\b.*\boif\b/ },
] as const;

/** The rules of a printed rule set that test the reverse path. */
export function reversePathRules(ruleset: string, rule: RegExp): readonly string[] {
  return [
    ...new Set(
      ruleset
        .split("\n")
        .map((line) => line.trim())
        .filter((line) => rule.test(line)),
    ),
  ];
}

async function look({
  command: [file, ...args],
  rule,
}: (typeof SOURCES)[number]): Promise<readonly string[] | undefined> {
  try {
    const { stdout } = await run(file, args, { timeout: TIMEOUT_MS, maxBuffer: MAX_OUTPUT });
    return reversePathRules(stdout, rule).map((text) => `${file}: ${text}`);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined; // not installed here: nothing that could be read
    throw new Error(`${file} did not print its rules`, { cause: error });
  }
}

/**
 * Reverse path tests in the firewall (iptables' `rpfilter` match, nftables' `fib saddr … oif`, firewalld's IPv6_rpfilter, the spoof
 * guards of CNIs) do what rp_filter does, and no sysctl shows them. The nft tool shows what iptables-nft made as well.
 */
export const firewallReversePath: Check = async (): Promise<readonly Finding[]> => {
  const name = "firewall rpfilter";
  const results = await Promise.all(SOURCES.map(look));
  const found = results.flatMap((rules) => rules ?? []);
  if (found.length > 0) {
    const detail = `reverse path tests that may drop what a proxy sends for a pod: ${found.join("; ")}`;
    return [{ name, state: "warn", detail }];
  }
  if (results.every((rules) => rules === undefined)) {
    return [{ name, state: "unknown", detail: "neither iptables-save nor nft is installed to look with" }];
  }
  return [{ name, state: "good", detail: "no reverse path tests" }];
};
