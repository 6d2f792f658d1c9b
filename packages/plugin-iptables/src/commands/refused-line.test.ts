import { expect, test } from "vitest";
import { refusedLine } from "./refused-line.ts";

const INPUT = "*mangle\n:MILL - [0:0]\n-A MILL -j ACCEPT\n-A MILL -j NOPE\nCOMMIT\n";

test.each([
  ["iptables-legacy-restore, parsing", "Error occurred at line: 4\nTry `iptables-restore -h'", "-A MILL -j NOPE"],
  ["iptables-legacy-restore, at the kernel", "iptables-restore: line 5 failed", "COMMIT"],
  ["iptables-nft-restore, at the kernel", "line 3: RULE_APPEND failed (Invalid argument)", "-A MILL -j ACCEPT"],
  ["ipset", "ipset v7.17: Error in line 1: The set with the given name does not exist", "*mangle"],
  ["ip -batch", "RTNETLINK answers: File exists\nCommand failed -:2", ":MILL - [0:0]"],
])("finds the line that %s tells", (_, stderr, line) => {
  expect(refusedLine(stderr, INPUT)).toBe(line);
});

test("iptables-nft-restore misses a chain only at the end: the rule that wants it is meant", () => {
  expect(refusedLine("Chain 'NOPE' does not exist\nError occurred at line: 5", INPUT)).toBe("-A MILL -j NOPE");
});

test("tells none where the program tells none, or one that is not there", () => {
  expect(refusedLine("Permission denied", INPUT)).toBeUndefined();
  expect(refusedLine("Command failed -:99", INPUT)).toBeUndefined();
});
