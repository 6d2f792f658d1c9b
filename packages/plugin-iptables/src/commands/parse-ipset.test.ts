import { expect, test } from "vitest";
import { parseIpsetSave } from "./parse-ipset.ts";

test("reads sets with their type and options, and entries with theirs", () => {
  const sets =
    parseIpsetSave(`create members hash:net,iface family inet hashsize 1024 maxelem 65536 timeout 0 bucketsize 12 initval 0x5873e600
add members 198.18.0.1,eth0 timeout 0
add members 198.18.0.2,eth0 timeout 4
create probes hash:ip family inet6 hashsize 1024 maxelem 65536 comment bucketsize 12 initval 0x4472ad9c
add probes 2001:2::1 comment "x y"
`);
  expect([...sets.values()]).toEqual([
    {
      name: "members",
      type: "hash:net,iface",
      options: "family inet hashsize 1024 maxelem 65536 timeout 0 bucketsize 12 initval 0x5873e600",
      entries: [
        { element: "198.18.0.1,eth0", options: "timeout 0" },
        { element: "198.18.0.2,eth0", options: "timeout 4" },
      ],
    },
    {
      name: "probes",
      type: "hash:ip",
      options: "family inet6 hashsize 1024 maxelem 65536 comment bucketsize 12 initval 0x4472ad9c",
      entries: [{ element: "2001:2::1", options: 'comment "x y"' }],
    },
  ]);
});

test("an entry without options has none", () => {
  expect(parseIpsetSave("create a hash:ip family inet\nadd a 198.18.0.1\n").get("a")?.entries).toEqual([
    { element: "198.18.0.1", options: "" },
  ]);
});

test.each([
  ["an entry of a set that was not told", "add a 198.18.0.1\n"],
  ["another command", "swap a b\n"],
  ["half a line", "create a\n"],
])("refuses %s", (_, text) => {
  expect(() => parseIpsetSave(text)).toThrow(SyntaxError);
});
