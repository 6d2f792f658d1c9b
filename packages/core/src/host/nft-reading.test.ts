import { expect, test } from "vitest";
import { sumOf } from "./nft-chain.ts";
import { NftReading } from "./nft-reading.ts";

const WANTED = { name: "from", hook: 'filter hook ingress device "h-web" priority 0', rules: ["counter", "accept"] };
const SHARED = { name: "shared", rules: ["drop"] };
const printed = (sum: string, rule = "accept") => `table netdev t {
	counter dropped {
		packets 12 bytes 720
	}

	set pairs {
		type ipv4_addr . inet_service
		timeout 1d
		elements = { 198.18.0.1 . 80 timeout 1h expires 59m59s comment "a, b: c",
			     198.18.0.2 . 443 expires 23h59m59s996ms counter packets 1 bytes 60 }
	}

	set links {
		type ifname
		elements = { "h-web",
			     "h-db" comment "x" }
	}

	map dev_6 {
		type ipv6_addr : ifname
		elements = { 2001:2::a comment "uid-a" : "h-web",
			     2001:2::b : "h-db" }
	}

	map verdicts {
		type ifname : verdict
		elements = { "h-web" : jump from, "h-db" : drop }
	}

	chain shared {
		continue comment "${sumOf(SHARED)} "
		drop
	}

	chain from {
		type filter hook ingress device "h-web" priority 0; policy accept;
		continue comment "${sum} uid-a"
		counter
		${rule}
	}

	chain others {
		accept
	}
}
`;

test("has the addresses of a pair of sets, all or whose they are", () => {
  const held = new NftReading(printed(sumOf(WANTED)));
  expect(held.addresses("dev")).toEqual(["2001:2::a", "2001:2::b"]);
  expect(held.addresses("dev", "uid-a")).toEqual(["2001:2::a"]);
  expect(held.addresses("dev", "uid-c")).toEqual([]);
  expect(held.addresses("none")).toEqual([]);
});

test("tells whose a chain is, where it is hooked, and whether it is as it was written", () => {
  const held = new NftReading(printed(sumOf(WANTED)));
  expect(held.chains.get("from")).toEqual({ owner: "uid-a", sum: sumOf(WANTED), device: "h-web" });
  expect(held.chains.get("others")).toEqual({ owner: "" });
  expect(held.owners(/^(from|shared|others)$/)).toEqual(["uid-a"]);
  expect(held.problems([WANTED, SHARED])).toEqual([]);
  expect(held.changes(["from", "shared"])).toEqual([]);
});

test("finds what was changed, and what is not there", () => {
  const held = new NftReading(printed(sumOf(WANTED), "drop"));
  const problem = (name: string) => `chain ${name} is not there, or not as it was written`;
  expect(held.differing([WANTED, SHARED])).toEqual([WANTED]);
  expect(held.problems([WANTED, { name: "none", rules: [] }])).toEqual([problem("from"), problem("none")]);
  expect(held.changes(["from", "others", "shared"])).toEqual([problem("from"), problem("others")]);
  // What somebody wrote who knew the sum of what he wrote.
  const other = { ...WANTED, rules: ["counter", "drop"] };
  expect(new NftReading(printed(sumOf(other), "drop")).differing([WANTED])).toEqual([WANTED]);
});

test("has the elements of sets and maps, with comments, time-outs and counters", () => {
  const held = new NftReading(printed(sumOf(WANTED)));
  expect(held.elements("pairs")).toEqual([
    { key: "198.18.0.1 . 80", comment: "a, b: c", value: "" },
    { key: "198.18.0.2 . 443", comment: "", value: "" },
  ]);
  expect(held.elements("links")).toEqual([
    { key: "h-web", comment: "", value: "" },
    { key: "h-db", comment: "x", value: "" },
  ]);
  expect(held.elements("dev_6")).toEqual([
    { key: "2001:2::a", comment: "uid-a", value: "h-web" },
    { key: "2001:2::b", comment: "", value: "h-db" },
  ]);
  expect(held.elements("verdicts").map(({ value }) => value)).toEqual(["jump from", "drop"]);
  expect(held.elements("none")).toEqual([]);
  expect(held.packets("dropped")).toBe(12);
});

test("is empty where there is no table", () => {
  const held = new NftReading("");
  expect(held.isThere).toBe(false);
  expect(held.differing([SHARED])).toEqual([SHARED]);
  expect(held.packets("dropped")).toBe(0);
});
