import { ScratchNetns } from "linux-ts/testing";
import { expect, test } from "vitest";
import { ALL_BITS } from "./mark-bits.ts";
import { parseNftMarks } from "./nft-marks.ts";

/** Rules as people write them, and what they do with marks. */
test.each<[string, object[]]>([
  ["meta mark set meta mark or 0x4000", [{ kind: "mark", access: "write", bits: 0x4000 }]],
  ["meta mark set meta mark xor 0x4000", [{ kind: "mark", access: "write", bits: 0x4000 }]],
  ["meta mark set meta mark and 0xffff0fff", [{ kind: "mark", access: "write", bits: 0xf000 }]],
  ["meta mark set meta mark and 0xffffff80 or 0x5", [{ kind: "mark", access: "write", bits: 0x7f }]],
  ["meta mark set 0x1", [{ kind: "mark", access: "write", bits: ALL_BITS }]],
  ["meta mark and 0x40 == 0x40 accept", [{ kind: "mark", access: "read", bits: 0x40 }]],
  ["meta mark 0x1 accept", [{ kind: "mark", access: "read", bits: ALL_BITS }]],
  ["meta mark vmap { 0x1 : accept }", [{ kind: "mark", access: "read", bits: ALL_BITS }]],
  ["ct mark and 0x80 == 0x80 accept", [{ kind: "connmark", access: "read", bits: 0x80 }]],
  [
    "ct mark set meta mark and 0xff",
    [
      { kind: "connmark", access: "write", bits: ALL_BITS },
      { kind: "mark", access: "read", bits: 0xff },
    ],
  ],
])("%s", (rule, marks) => {
  using there = new ScratchNetns();
  there.sh(
    `nft add table inet theirs; nft add chain inet theirs c; nft add rule inet theirs c ${rule.replaceAll(/[{}]/g, "\\$&")}`,
  );
  expect(parseNftMarks(there.sh("nft -j list ruleset"))).toMatchObject([
    { table: { family: "inet", name: "theirs" }, chain: "c", marks, zones: [] },
  ]);
});

test("conntrack zones, and rules that have nothing to do with either", () => {
  using there = new ScratchNetns();
  there.sh("nft add table inet theirs; nft add chain inet theirs c '{ type filter hook prerouting priority raw; }'");
  there.sh("nft add rule inet theirs c ct zone set 77; nft add rule inet theirs c tcp dport 80 accept");
  expect(parseNftMarks(there.sh("nft -j list ruleset"))).toMatchObject([{ marks: [], zones: [77] }]);
});

test("an empty rule set has none", () => {
  using there = new ScratchNetns();
  expect(parseNftMarks(there.sh("nft -j list ruleset"))).toEqual([]);
});
