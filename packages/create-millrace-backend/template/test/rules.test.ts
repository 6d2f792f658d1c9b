import type { NodeProxy, Workload } from "@millrace/core";
import { expect, test } from "vitest";
import { membersIn, nodeRules } from "../src/rules.ts";

const veth = (name: string, mac: string) => ({
  netns: `/run/netns/${name}`,
  netnsInode: 1,
  name: "eth0",
  mac,
  hostName: `h-${name}`,
  hostIndex: 7,
});
const member: Workload = {
  uid: "uid-1",
  namespace: "shop",
  name: "web",
  addresses: ["198.18.1.10", "2001:2::a"],
  interface: veth("web", "02:00:00:00:00:0a"),
  enrolExisting: "drain",
  dnsCapture: false,
  exclusions: { outboundPorts: [], outboundCidrs: [], inboundPorts: [], inboundCidrs: [] },
};
const proxy: NodeProxy = {
  uid: "uid-z",
  key: "uid-z/1",
  namespace: "mesh",
  name: "proxy",
  addresses: ["198.18.1.14"],
  interface: veth("proxy", "02:00:00:00:00:0e"),
};

test("a member's TCP is handed to the proxy, and its own addresses are left alone", () => {
  const rules = nodeRules([member], proxy);
  expect(rules).toContain('ether daddr set 02:00:00:00:00:0e fwd to "h-proxy"');
  expect(rules).toContain("ip daddr 198.18.1.14 accept");
  expect(rules).toContain('ip6 daddr 2001:2::a meta l4proto tcp ether daddr set 02:00:00:00:00:0a fwd to "h-web"');
});

test("without a proxy it is dropped", () => {
  expect(nodeRules([member], undefined)).toMatch(/meta l4proto tcp .* drop/);
});

test("a member counts as there when both of its chains are", () => {
  expect(membersIn(nodeRules([member], proxy), [member])).toEqual([member]);
  expect(membersIn("table netdev other { }", [member])).toEqual([]);
});
