import { expect, test } from "vitest";
import { type BridgePort, elementLines, elementsOf, parseBridgeTable } from "./bridge-ports.ts";

const port = (name: string, more: Partial<BridgePort> = {}): BridgePort => ({
  name,
  index: 7,
  mac: `02:00:00:00:00:0${name.length}`,
  bridgeMac: "02:4d:52:ff:00:01",
  owner: "uid",
  role: { kind: "member", dns: false },
  ...more,
});
const elements = (...ports: BridgePort[]) => elementsOf(new Map(ports.map((each) => [each.name, each])));

test("a member that leaves takes what only it had with it, and the bridge stays for the other", () => {
  const [one, other] = [port("h-a", { role: { kind: "member", dns: true } }), port("h-bb")];
  expect(elementLines(elements(one, other), elements(other))).toEqual([
    'delete element bridge millrace gateways { "h-a" }',
    "delete element bridge millrace macs { 02:00:00:00:00:03 }",
    'delete element bridge millrace roles { "h-a" }',
    'delete element bridge millrace members { "h-a" }',
    'delete element bridge millrace dns { "h-a" }',
  ]);
});

test("what changes of a port is replaced in one go", () => {
  const proxy = port("h-z", { role: { kind: "proxy", slot: 3 } });
  expect(elementLines(elements(port("h-z")), elements({ ...proxy, bridgeMac: "02:4d:52:ff:00:02" }))).toEqual([
    'delete element bridge millrace gateways { "h-z" }',
    "delete element bridge millrace macs { 02:00:00:00:00:03 }",
    "delete element bridge millrace bridges { 02:4d:52:ff:00:01 }",
    'delete element bridge millrace roles { "h-z" }',
    'delete element bridge millrace members { "h-z" }',
    'add element bridge millrace gateways { "h-z" comment "uid 7 02:00:00:00:00:03" : 02:4d:52:ff:00:02 }',
    "add element bridge millrace macs { 02:00:00:00:00:03 : 02:4d:52:ff:00:02 }",
    "add element bridge millrace bridges { 02:4d:52:ff:00:02 }",
    'add element bridge millrace roles { "h-z" : goto slot-3 }',
    'add element bridge millrace proxies { "h-z" }',
  ]);
});

test("what nft printed is read back, whatever order and handles it has", () => {
  const listed = (handle: number) =>
    JSON.stringify({
      nftables: [
        { metainfo: { version: "1.0.6", json_schema_version: 1 } },
        { table: { family: "bridge", name: "millrace", handle } },
        { map: { name: "roles", handle: 9, elem: [["h-a", { goto: { target: "slot-2" } }]] } },
        {
          map: {
            name: "gateways",
            elem: [[{ elem: { val: "h-a", comment: "uid 7 02:00:00:00:00:03" } }, "02:4d:52:ff:00:01"]],
          },
        },
        { map: { name: "macs", elem: [["02:00:00:00:00:03", "02:4d:52:ff:00:01"]] } },
        { set: { name: "proxies", elem: ["h-a"] } },
        { set: { name: "bridges", elem: ["02:4d:52:ff:00:01"] } },
        { set: { name: "dns", handle: 12 } },
      ],
    });
  const listing = parseBridgeTable(listed(1));
  const wanted = port("h-a", { role: { kind: "proxy", slot: 2 } });
  expect([...listing.ports.values()]).toEqual([wanted]);
  expect(elementLines(listing.elements, elements(wanted))).toEqual([]);
  expect(parseBridgeTable(listed(5)).skeleton).toEqual(listing.skeleton);
  expect(listing.skeleton.join()).not.toContain("h-a");
  expect(() => parseBridgeTable("{}")).toThrow(expect.objectContaining({ code: "ERR_OUTPUT_UNREADABLE" }));
});
