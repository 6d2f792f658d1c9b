import { Lab } from "@millrace/conformance";
import type { Trace } from "@millrace/core";
import { afterEach, beforeEach, expect, test } from "vitest";
import { flavours } from "./commands/iptables-names.ts";
import { Driver, proxyOf, workloadOf } from "./testing/driver.ts";

let lab: Lab;
beforeEach(async () => {
  lab = await Lab.create({ nodes: [{ pods: ["m1"], proxies: ["z1"] }] });
});
afterEach(async () => await lab[Symbol.asyncDispose]());

async function traces(): Promise<readonly Trace[]> {
  await using driver = Driver.start(lab.node(1));
  return await driver.traces([lab.pod("z1").namespace.path, lab.pod("m1").namespace.path]);
}

const kinds = (found: readonly Trace[], where: string): string[] =>
  [...new Set(found.filter((trace) => trace.where === where).map(({ kind }) => kind))].sort();

test.each(flavours)("iptables-%s: all of it is found, and nothing when it is uninstalled", async (flavour) => {
  expect(await traces()).toEqual([]);
  await using driver = await Driver.open(lab.node(1), { config: { flavour, tunnel: "vxlan" } });
  await driver.useProxies({ active: await proxyOf(lab.pod("z1")), draining: [] });
  await driver.apply(await workloadOf(lab.pod("m1")));
  const found = await traces();
  const chains = flavour === "nft" ? ["iptables-nft chain"] : [4, 6].map((n) => `iptables-legacy IPv${n} chain`);
  expect(kinds(found, "node")).toEqual([...chains, "ipset", "nft table", "vxlan link"].sort());
  expect(kinds(found, lab.pod("z1").namespace.path)).toEqual([...chains, "vxlan link"].sort());
  await driver.uninstall();
  expect(await traces()).toEqual([]);
});

const plants: [kind: string, what: string, program: string, ...args: string[]][] = [
  ["iptables-nft chain", "ip mangle MILLRACE-OLD", "iptables-nft", "-t", "mangle", "-N", "MILLRACE-OLD"],
  ["iptables-nft chain", "ip6 raw MILLRACE", "ip6tables-nft", "-t", "raw", "-N", "MILLRACE"],
  ["iptables-legacy IPv4 chain", "nat MILLRACE-OUT", "iptables-legacy", "-t", "nat", "-N", "MILLRACE-OUT"],
  ["iptables-legacy IPv6 chain", "filter MILLRACE", "ip6tables-legacy", "-N", "MILLRACE"],
  ["nft table", "inet millrace", "nft", "add table inet millrace"],
  ["nft table", "bridge millrace", "nft", "add table bridge millrace"],
  ["ipset", "millrace-of-old", "ipset", "create", "millrace-of-old", "hash:ip"],
  [
    "vxlan link",
    "millrace-in",
    "ip",
    ..."link add millrace-in type vxlan id 5 dstport 4445 remote 127.0.0.1".split(" "),
  ],
  [
    "vxlan link",
    "renamed",
    "ip",
    ..."link add renamed address 02:4d:52:00:02:01 type vxlan id 9 dstport 4444".split(" "),
  ],
  ["IPv4 rule", "62: lookup 15103", "ip", "rule", "add", "priority", "62", "lookup", "15103"],
  ["IPv6 route", "blackhole ::/0 table 15100", "ip", "-6", "route", "add", "blackhole", "default", "table", "15100"],
];

test.each(plants)("a lone %s %s is found", async (kind, what, program, ...args) => {
  await lab.node(1).namespace.runChecked(program, args);
  expect(await traces()).toEqual([expect.objectContaining({ kind, what, where: "node" })]);
});

test("what is of others is not", async () => {
  const { namespace } = lab.node(1);
  const run = (line: string) => namespace.runChecked("sh", ["-ec", line]);
  await run(
    "iptables-nft -N MILL; iptables-legacy -N MILLSTREAM; nft add table inet millrace2; ipset create mill hash:ip",
  );
  await run("ip link add tunnel type vxlan id 1001 dstport 4444 remote 127.0.0.1");
  await run(
    "ip rule add priority 62 lookup 100; ip rule add priority 7 lookup 15103; ip route add blackhole default table 100",
  );
  expect(await traces()).toEqual([]);
});
