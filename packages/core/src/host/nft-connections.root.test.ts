import { ScratchNetns } from "linux-ts/testing";
import { afterEach, beforeEach, expect, test } from "vitest";
import { NftTable, nftTransaction, type OpenConnection, runProgram } from "../host.ts";

const TABLE = new NftTable("netdev", "mrtest");
const PAIR = TABLE.connections("passed");
const V4: OpenConnection = { family: 4, local: "198.18.0.1", localPort: 1024, remote: "198.18.0.2", remotePort: 80 };
const V6: OpenConnection = { family: 6, local: "2001:2::a", localPort: 1025, remote: "2001:2::b", remotePort: 443 };

let netns: ScratchNetns;
let place: { readonly netns: number };
beforeEach(async () => {
  netns = new ScratchNetns();
  place = { netns: netns.fd };
  await nftTransaction(["add table netdev mrtest", ...PAIR.make()], place);
});
afterEach(() => netns[Symbol.dispose]());

const held = async () => {
  const reading = await TABLE.read(place);
  return ["passed_4", "passed_6"].flatMap((set) => reading.elements(set).map(({ key }) => key));
};

test("a connection is in the set of its family, as its own packets tell it or those of the other end", async () => {
  await nftTransaction(PAIR.add([V4, V6], "sent"), place);
  expect(await held()).toEqual(["198.18.0.1 . 1024 . 198.18.0.2 . 80", "2001:2::a . 1025 . 2001:2::b . 443"]);
  await nftTransaction([...PAIR.clear(), ...PAIR.add([V4, V6], "received")], place);
  expect(await held()).toEqual(["198.18.0.2 . 80 . 198.18.0.1 . 1024", "2001:2::b . 443 . 2001:2::a . 1025"]);
});

test("what is there already is made and noted again", async () => {
  await nftTransaction(PAIR.add([V4], "sent"), place);
  await nftTransaction([...PAIR.make(), ...PAIR.add([V4, V4], "sent")], place);
  expect(await held()).toEqual(["198.18.0.1 . 1024 . 198.18.0.2 . 80"]);
});

test("rules note in them", async () => {
  const tuple = "ip saddr . tcp sport . ip daddr . tcp dport";
  const rules = [`update @passed_4 { ${tuple} }`, `${tuple} @passed_4 accept`];
  const chain = { name: "in", hook: 'filter hook ingress device "lo" priority 0', rules };
  await nftTransaction(TABLE.write([chain]), place);
  expect((await TABLE.read(place)).problems([chain])).toEqual([]);
});

test("both go", async () => {
  await nftTransaction([...PAIR.add([V4], "sent"), ...PAIR.remove()], place);
  expect(await runProgram(["nft", "list", "sets"], place)).not.toContain("passed");
});
