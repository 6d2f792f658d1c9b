import { ScratchNetns } from "linux-ts/testing";
import { afterEach, beforeEach, expect, test } from "vitest";
import { NftTable, nftRefusal, nftTableTraces, nftTransaction, runProgram } from "../host.ts";

const TABLE = new NftTable("netdev", "mrtest");
const SETS = [
  "add table netdev mrtest",
  "add counter netdev mrtest dropped",
  "add set netdev mrtest pairs { type ipv4_addr . inet_service; flags timeout; timeout 1h; }",
  "add map netdev mrtest dev { type ipv6_addr : ifname; }",
];
const FROM = {
  name: "from",
  hook: 'filter hook ingress device "lo" priority 0',
  owner: "uid-a",
  rules: ["ip saddr . tcp dport @pairs accept", "tcp flags 0x2 / 0x2,0x10 goto shared"],
};
const SHARED = { name: "shared", rules: ['counter name "dropped" drop'] };

let netns: ScratchNetns;
let place: { readonly netns: number };
beforeEach(() => {
  netns = new ScratchNetns();
  place = { netns: netns.fd };
});
afterEach(() => netns[Symbol.dispose]());

const nft = (...args: string[]) => runProgram(["nft", ...args], place);

test("what is written is read back as it was wanted, until somebody changes it", async () => {
  expect((await TABLE.read(place)).isThere).toBe(false);
  await nftTransaction([...SETS, ...TABLE.write([FROM, SHARED])], place);
  const held = await TABLE.read(place);
  expect(held.isThere).toBe(true);
  expect(held.problems([FROM, SHARED])).toEqual([]);
  expect(held.chains.get("from")).toMatchObject({ owner: "uid-a", device: "lo" });

  await nft("add", "rule", "netdev", "mrtest", "shared", "accept");
  expect((await TABLE.read(place)).differing([FROM, SHARED])).toEqual([SHARED]);
  await nftTransaction(TABLE.write([SHARED]), place);
  expect((await TABLE.read(place)).problems([FROM, SHARED])).toEqual([]);
});

test("a chain that others lead to, and one with a hook, are made anew in place", async () => {
  await nftTransaction([...SETS, ...TABLE.write([FROM, SHARED])], place);
  const other = { ...FROM, hook: 'filter hook ingress device "lo" priority 7', owner: "uid-b" };
  const shared = { ...SHARED, rules: ["accept"] };
  await nftTransaction(TABLE.write([shared, other]), place);
  const held = await TABLE.read(place);
  expect(held.problems([other, shared])).toEqual([]);
  expect(held.owners(/^from$/)).toEqual(["uid-b"]);
  await nftTransaction(TABLE.withoutChains(["shared", "from"]), place);
  expect((await TABLE.read(place)).chains.size).toBe(0);
});

test("elements come and go, whatever stood there", async () => {
  await nftTransaction([...SETS, ...TABLE.addElements("dev", ['2001:2::a comment "uid-a" : "lo"'])], place);
  await nftTransaction(TABLE.replaceElements("pairs", ['198.18.0.1 . 80 comment "a"', "198.18.0.2 . 443"]), place);
  const held = await TABLE.read(place);
  expect(held.elements("dev")).toEqual([{ key: "2001:2::a", comment: "uid-a", value: "lo" }]);
  expect(held.elements("pairs").map(({ key }) => key)).toEqual(["198.18.0.1 . 80", "198.18.0.2 . 443"]);
  const ours = held.elements("pairs").filter(({ comment }) => comment === "a");
  await nftTransaction(TABLE.withoutElements("pairs", ours), place);
  expect((await TABLE.read(place)).elements("pairs").map(({ key }) => key)).toEqual(["198.18.0.2 . 443"]);
});

test("addresses are in a set of their family, and read back from both", async () => {
  const sets = [4, 6].map((n) => `add set netdev mrtest nodes_${n} { type ipv${n}_addr; }`);
  const addresses = ["198.18.0.2", "2001:2::a", "198.18.0.1"];
  await nftTransaction([...SETS, ...sets, ...TABLE.replaceAddresses("nodes", addresses)], place);
  expect((await TABLE.read(place)).addresses("nodes")).toEqual(["198.18.0.1", "198.18.0.2", "2001:2::a"]);
  await nftTransaction(TABLE.replaceAddresses("nodes", ["198.18.0.3"]), place);
  expect((await TABLE.read(place)).addresses("nodes")).toEqual(["198.18.0.3"]);
});

test("a transaction is taken as a whole or not at all", async () => {
  await nftTransaction(SETS, place);
  const wrong = [...TABLE.write([SHARED]), "add rule netdev mrtest none accept"];
  await expect(nftTransaction(wrong, place)).rejects.toMatchObject({
    code: "ERR_PROGRAM_FAILED",
    message: expect.stringContaining("add rule netdev mrtest none accept"),
  });
  expect((await TABLE.read(place)).chains.size).toBe(0);
});

test("is told by its name, and is gone when it was removed, once or twice", async () => {
  await nftTransaction([...SETS, "add table inet mrtest", "add table inet other"], place);
  const found = { fd: netns.fd, name: "there" };
  const trace = (what: string) => ({ kind: "nft table", where: "there", what, mark: "name" });
  expect(nftTableTraces(found, "mrtest")).toEqual([trace("netdev mrtest"), trace("inet mrtest")]);
  expect(nftTableTraces(found, "inet mrtest")).toEqual([trace("inet mrtest")]);
  await nftTransaction(TABLE.remove(), place);
  await nftTransaction(TABLE.remove(), place);
  expect(nftTableTraces(found, "mrtest")).toEqual([trace("inet mrtest")]);
});

test("a host's refusal is told, and trying leaves nothing", async () => {
  expect(await nftRefusal([...SETS, ...TABLE.write([SHARED])])).toBeUndefined();
  expect((await TABLE.read()).isThere).toBe(false);
  expect(await nftRefusal(["add rule netdev mrtest none accept"])).toContain("No such file or directory");
  const abort = new AbortController();
  abort.abort(new Error("not wanted"));
  await expect(nftRefusal(SETS, abort.signal)).rejects.toThrow("not wanted");
});

test("a namespace that is not there is no table that is not there", async () => {
  await expect(TABLE.read({ netns: "/run/netns/none-such" })).rejects.toMatchObject({ code: "ERR_PROGRAM_FAILED" });
});
