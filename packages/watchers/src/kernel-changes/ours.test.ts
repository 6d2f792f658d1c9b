import type { NftEvent, RtEvent } from "linux-ts";
import { expect, test } from "vitest";
import { ofNftables, ofRtnetlink } from "./ours.ts";

const marks = { protocol: 77, name: /^millrace/i };

test.each([
  [{ type: "link", change: "removed", link: { name: "millrace-out" } }, "link millrace-out removed"],
  [{ type: "link", change: "removed", link: { name: "h-m1" } }, undefined],
  [
    { type: "route", change: "removed", route: { protocol: 77, dst: "0.0.0.0/0", table: 15100 } },
    "route 0.0.0.0/0 in table 15100 removed",
  ],
  [{ type: "route", change: "set", route: { protocol: 4, dst: "0.0.0.0/0", table: 254 } }, undefined],
  [{ type: "rule", change: "removed", rule: { protocol: 77, family: 6, priority: 62 } }, "IPv6 rule 62 removed"],
  [{ type: "rule", change: "set", rule: { protocol: 3, family: 4, priority: 62 } }, undefined],
  [{ type: "qdisc", change: "removed", qdisc: { kind: "clsact", ifindex: 7 } }, "clsact qdisc of link 7 removed"],
  [{ type: "qdisc", change: "set", qdisc: { kind: "fq_codel", ifindex: 7 } }, undefined],
  [
    { type: "filter", change: "removed", place: { ifindex: 7, direction: "egress" } },
    "egress filter of link 7 removed",
  ],
  [{ type: "filter", change: "set", place: { ifindex: 7 } }, undefined],
  [{ type: "address", change: "set", address: { address: "198.18.0.1" } }, undefined],
] as unknown as [RtEvent, string | undefined][])("of %o it says %s", (event, said) => {
  expect(ofRtnetlink(event, marks)).toBe(said);
});

const ofRule = { type: "rule", change: "removed", family: "ip" } as const;

test.each<[NftEvent, string | undefined]>([
  [{ type: "table", change: "removed", family: "inet", table: "millrace" }, "nftables table in inet millrace removed"],
  [{ type: "table", change: "removed", family: "inet", table: "filter" }, undefined],
  [{ ...ofRule, table: "nat", name: "MILLRACE-OUT" }, "nftables rule in ip nat MILLRACE-OUT removed"],
  [
    { ...ofRule, table: "nat", name: "PREROUTING", target: "MILLRACE-OUT" },
    "nftables rule in ip nat PREROUTING removed",
  ],
  [{ ...ofRule, table: "nat", name: "PREROUTING", target: "KUBE-SERVICES" }, undefined],
  [{ ...ofRule, table: "nat", name: "PREROUTING" }, undefined],
])("of %o it says %s", (event, said) => {
  expect(ofNftables(event, marks)).toBe(said);
});
