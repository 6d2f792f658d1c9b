import { expect, test } from "vitest";
import { withoutLoopback } from "./host-addresses.ts";
import { VethLinks } from "./veth-links.ts";

const link = (index: number, name: string, kind?: string) => ({
  index,
  name,
  mac: "",
  mtu: 1500,
  up: true,
  ...(kind === undefined ? {} : { kind }),
});
const told = (events: ReturnType<VethLinks["add"]>) =>
  events.map(({ subject, data }) => `${subject} ${JSON.stringify(data)}`);

test("tells veth ends that come and go, once", () => {
  const veths = new VethLinks();
  expect(told(veths.add(link(4, "h-a", "veth")))).toEqual(['link/4 {"ifindex":4,"name":"h-a","change":"added"}']);
  expect(veths.add(link(4, "h-a", "veth"))).toEqual([]);
  expect(veths.add(link(5, "br0", "bridge"))).toEqual([]);
  expect(veths.remove(5)).toEqual([]);
  expect(told(veths.remove(4))).toEqual(['link/4 {"ifindex":4,"name":"h-a","change":"removed"}']);
  expect(veths.remove(4)).toEqual([]);
});

test("a new name, and another kind under an old index, are changes", () => {
  const veths = new VethLinks();
  veths.add(link(4, "veth0", "veth"));
  expect(told(veths.add(link(4, "h-a", "veth")))).toEqual(['link/4 {"ifindex":4,"name":"h-a","change":"added"}']);
  expect(told(veths.add(link(4, "br0", "bridge")))).toEqual(['link/4 {"ifindex":4,"name":"h-a","change":"removed"}']);
});

test("after a full list only the difference is told", () => {
  const veths = new VethLinks();
  veths.reconcile([link(1, "lo"), link(4, "h-a", "veth"), link(5, "h-b", "veth")]);
  expect(told(veths.reconcile([link(1, "lo"), link(5, "h-b", "veth"), link(6, "h-c", "veth")]))).toEqual([
    'link/4 {"ifindex":4,"name":"h-a","change":"removed"}',
    'link/6 {"ifindex":6,"name":"h-c","change":"added"}',
  ]);
});

test("all of 127.0.0.0/8 and ::1 are left out, link-local addresses are not", () => {
  const list = ["198.18.0.2", "127.0.0.1", "127.53.0.1", "::1", "fe80::1", "198.18.0.2", "2001:2::1"];
  expect(withoutLoopback(list.map((address) => ({ address })))).toEqual(["198.18.0.2", "2001:2::1", "fe80::1"]);
});
