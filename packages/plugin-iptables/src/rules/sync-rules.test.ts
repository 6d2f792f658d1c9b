import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { parseIptablesSave } from "../commands/parse-iptables-save.ts";
import { PrintedRules } from "./printed-rules.ts";
import { type Ruleset, renderChains } from "./ruleset.ts";
import { type RulesPlace, ruleProblems } from "./sync-rules.ts";

const ruleset: Ruleset = {
  family: 4,
  chains: [
    { table: "mangle", name: "MILLRACE-PRE", hook: "PREROUTING", rules: ["-p tcp -j MILLRACE-IN", "-j ACCEPT"] },
    { table: "mangle", name: "MILLRACE-IN", rules: ["-j MARK --set-xmark 0x3/0x7f"] },
  ],
};
const PRINTED = {
  "mangle MILLRACE-PRE": ["-A MILLRACE-PRE -p tcp -j MILLRACE-IN", "-A MILLRACE-PRE -j ACCEPT"],
  "mangle MILLRACE-IN": ["-A MILLRACE-IN -j MARK --set-xmark 0x3/0x7f"],
};

let directory: string;
let place: RulesPlace;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "mr-ipt-rules-"));
  const printed = new PrintedRules(directory);
  place = { name: "node", netns: undefined, flavour: "nft", printed };
  printed.set("node-ipv4", renderChains(ruleset), PRINTED);
});
afterEach(() => rmSync(directory, { recursive: true }));

function problems(...lines: string[]): string[] {
  const chains = ["PREROUTING ACCEPT", "MILLRACE-PRE -", "MILLRACE-IN -"].map((chain) => `:${chain} [0:0]`);
  const text = ["*mangle", ...chains, ...lines, "COMMIT"].join("\n");
  return ruleProblems(place, ruleset, parseIptablesSave(text));
}

const JUMP = "-A PREROUTING -j MILLRACE-PRE";
const OWN = Object.values(PRINTED).flat();

test("all there: no problem", () => {
  expect(problems(JUMP, ...OWN)).toEqual([]);
});

test("a jump that is missing, doubled, or behind somebody else's rule", () => {
  expect(problems(...OWN)).toEqual(["IPv4 jump from mangle PREROUTING is missing"]);
  expect(problems(JUMP, JUMP, ...OWN)).toEqual(["IPv4 jump from mangle PREROUTING is there 2 times"]);
  expect(problems("-A PREROUTING -j OTHER", JUMP, ...OWN)).toEqual([
    "IPv4 jump from mangle PREROUTING comes behind: -A PREROUTING -j OTHER",
  ]);
  expect(problems(JUMP, "-A PREROUTING -j OTHER", ...OWN)).toEqual([]);
});

test("a rule that is missing, foreign, or in another place", () => {
  const [first = "", second = "", third = ""] = OWN;
  expect(problems(JUMP, first, third)).toEqual(["IPv4 rule mangle -A MILLRACE-PRE -j ACCEPT is missing"]);
  expect(problems(JUMP, ...OWN, "-A MILLRACE-IN -j ACCEPT")).toEqual([
    "IPv4 rule mangle -A MILLRACE-IN -j ACCEPT is not ours",
  ]);
  expect(problems(JUMP, second, first, third)).toEqual([
    "IPv4 chain mangle MILLRACE-PRE has its rules in another order",
  ]);
});

test("a chain that is missing, or left over", () => {
  const saved = parseIptablesSave(
    ["*mangle", ":PREROUTING ACCEPT [0:0]", ":MILLRACE-PRE - [0:0]", ":MILLRACE-OLD - [0:0]", JUMP]
      .concat(PRINTED["mangle MILLRACE-PRE"], "COMMIT")
      .join("\n"),
  );
  expect(ruleProblems(place, ruleset, saved)).toEqual([
    "IPv4 chain mangle MILLRACE-IN is missing",
    "IPv4 chain mangle MILLRACE-OLD is left over",
  ]);
});

test("other rules than were written last, and a note that cannot be read, are written again", () => {
  const other = { ...ruleset, chains: ruleset.chains.slice(0, 1) };
  const nothing = parseIptablesSave("");
  expect(ruleProblems(place, other, nothing)).toEqual(["IPv4 rules are others than wanted"]);
  place.printed.delete("node-ipv4");
  expect(ruleProblems(place, ruleset, nothing)).toEqual(["IPv4 rules are others than wanted"]);
});
