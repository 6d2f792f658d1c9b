import type { Rule } from "linux-ts";
import { expect, test } from "vitest";
import { shadowingRules } from "./routing-clashes.ts";

const wanted = { mask: 0x7f, priorities: [60, 75], tables: [15100, 15115] } as const;
const rule = (more: Partial<Rule>): Rule => ({
  priority: 10,
  family: 4,
  action: "lookup",
  protocol: 4,
  table: 7,
  ...more,
});

test.each<[string, Partial<Rule>, boolean]>([
  ["everything", {}, true],
  ["what the member sends", { src: "198.18.0.0/16" }, true],
  ["the member's one address", { src: "198.18.0.5/32" }, true],
  ["what is sent to the member", { dst: "198.18.0.0/24" }, true],
  ["another pod", { src: "198.18.1.5/32" }, false],
  ["another network", { dst: "198.19.0.0/16" }, false],
  ["what the node itself sends", { iif: "lo" }, false],
  ["all but something", { inverted: true, src: "198.19.0.0/16" }, true],
  ["packets with a mark of its own", { fwmark: 0x1745ec, fwmask: 0xffffffff }, false],
  ["packets without a mark of its own", { fwmark: 0x100000, fwmask: 0x100000, inverted: true }, true],
  ["packets without a mark", { fwmark: 0, fwmask: 0xf00 }, true],
  ["the local table", { table: 255 }, false],
  ["behind ours", { priority: 100 }, false],
  ["ours", { protocol: 77 }, false],
])("a rule for %s", (_, more, isShadowing) => {
  const rules = shadowingRules(4, [rule(more)], wanted, ["198.18.0.5", "2001:2::5"]);
  expect(rules.length === 1).toBe(isShadowing);
});

test("families are not mixed up", () => {
  expect(shadowingRules(6, [rule({ src: "2001:2::/48" })], wanted, ["198.18.0.5", "2001:2::5"])).toHaveLength(1);
  expect(shadowingRules(6, [rule({ src: "2001:2::/48" })], wanted, ["198.18.0.5"])).toEqual([]);
});

test("a rule is told in the words of ip(8)", () => {
  const told = (more: Partial<Rule>) =>
    shadowingRules(4, [rule(more)], wanted, ["198.18.0.5"]).map(({ where }) => where);
  expect(told({})).toEqual(["IPv4 priority 10 (from all lookup 7)"]);
  expect(told({ src: "198.18.0.5/32", oif: "eth0" })).toEqual(["IPv4 priority 10 (from 198.18.0.5 oif eth0 lookup 7)"]);
  expect(told({ inverted: true, src: "198.19.0.0/16", fwmark: 0, fwmask: 0xf00 })).toEqual([
    "IPv4 priority 10 (not from 198.19.0.0/16 fwmark 0x0/0xf00 lookup 7)",
  ]);
  expect(told({ dst: "198.18.0.0/24", action: "blackhole", table: 0 })).toEqual([
    "IPv4 priority 10 (from all to 198.18.0.0/24 blackhole)",
  ]);
  expect(told({ action: "goto", goto: 50, table: 0 })).toEqual(["IPv4 priority 10 (from all goto 50)"]);
});
