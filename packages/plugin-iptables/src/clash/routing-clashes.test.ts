import { expect, test } from "vitest";
import type { IpRule } from "../commands/ip-schemas.ts";
import { shadowingRules } from "./routing-clashes.ts";

const wanted = { mask: 0x7f, priorities: [60, 75], tables: [15100, 15115] } as const;
const rule = (more: Partial<IpRule>): IpRule => ({ priority: 10, src: "all", protocol: "4", table: "7", ...more });

test.each<[string, Partial<IpRule>, boolean]>([
  ["everything", {}, true],
  ["what the member sends", { src: "198.18.0.0", srclen: 16 }, true],
  ["the member's one address", { src: "198.18.0.5" }, true],
  ["what is sent to the member", { dst: "198.18.0.0", dstlen: 24 }, true],
  ["another pod", { src: "198.18.1.5" }, false],
  ["another network", { dst: "198.19.0.0", dstlen: 16 }, false],
  ["what the node itself sends", { iif: "lo" }, false],
  ["all but something", { not: null, src: "198.19.0.0", srclen: 16 }, true],
  ["packets with a mark of its own", { fwmark: "0x1745ec" }, false],
  ["packets without a mark of its own", { fwmark: "0x100000", fwmask: "0x100000", not: null }, true],
  ["packets without a mark", { fwmark: "0", fwmask: "0xf00" }, true],
  ["the local table", { table: "255" }, false],
  ["behind ours", { priority: 100 }, false],
  ["ours", { protocol: "77" }, false],
])("a rule for %s", (_, more, isShadowing) => {
  const rules = shadowingRules(4, [rule(more)], wanted, ["198.18.0.5", "2001:2::5"]);
  expect(rules.length === 1).toBe(isShadowing);
});

test("families are not mixed up", () => {
  expect(shadowingRules(6, [rule({ src: "2001:2::", srclen: 48 })], wanted, ["198.18.0.5", "2001:2::5"])).toHaveLength(
    1,
  );
  expect(shadowingRules(6, [rule({ src: "2001:2::", srclen: 48 })], wanted, ["198.18.0.5"])).toEqual([]);
});
