import { afterEach, expect, test } from "vitest";
import { BpfLink } from "./link.ts";
import { BpfMap } from "./map.ts";
import { BpfObject } from "./object.ts";
import { attachSkLookup, querySkLookup } from "./sk-lookup.ts";
import { currentNetns, testObject } from "./testing/kernel.ts";
import { CONNECT, listen } from "./testing/listener.ts";
import { TestBpffs } from "./testing/test-bpffs.ts";
import { TestNetns } from "./testing/test-netns.ts";

const home = currentNetns();
afterEach(() => expect(currentNetns()).toBe(home));

function load(): BpfObject {
  const object = BpfObject.open(testObject("sk-lookup"));
  object.load();
  return object;
}

function connects(netns: TestNetns): boolean {
  return netns.run("sh", "-c", `${CONNECT}; echo $?`).trim() === "0";
}

test("a program decides about new connections of that namespace, until its link is disposed", async () => {
  using object = load();
  using netns = new TestNetns();
  netns.run("ip", "link", "set", "lo", "up");
  await using _server = await listen(netns);
  expect(connects(netns)).toBe(true);
  {
    using link = attachSkLookup({ program: object.program("refuse"), netns: netns.fd });
    expect(connects(netns)).toBe(false);
    link.update(object.program("pass"));
    expect(connects(netns)).toBe(true);
    link.update(object.program("refuse"));
  }
  expect(connects(netns)).toBe(true);
});

test("info tells the namespace, and 0 after detach; a pinned link is reopened", () => {
  using bpffs = new TestBpffs();
  using object = load();
  using netns = new TestNetns();
  const inode = Number(netns.run("readlink", "/proc/self/ns/net").match(/\d+/)?.[0]);
  const link = attachSkLookup({ program: object.program("pass"), netns: netns.fd });
  const info = link.info();
  expect(info).toEqual({
    id: info.id,
    type: "netns",
    programId: object.program("pass").info.id,
    attachType: "sk_lookup",
    netnsInode: inode,
  });
  link.pin(bpffs.at("lookup"));
  link[Symbol.dispose]();
  using again = BpfLink.openPinned(bpffs.at("lookup"));
  expect(again.info()).toEqual(info);
  again.detach();
  expect(again.info()).toMatchObject({ id: info.id, netnsInode: 0 });
});

test("what is no namespace, and a program of another type", () => {
  using object = load();
  using other = BpfObject.open(testObject("maps"));
  other.load();
  using netns = new TestNetns();
  using map = BpfMap.create({ type: "array", keySize: 4, valueSize: 4, maxEntries: 1 });
  const refused = expect.objectContaining({ code: "EINVAL", syscall: "bpf(BPF_LINK_CREATE)" });
  expect(() => attachSkLookup({ program: object.program("pass"), netns: map.fd })).toThrow(refused);
  expect(() => attachSkLookup({ program: other.program("count"), netns: netns.fd })).toThrow(refused);
  expect(() => querySkLookup({ netns: map.fd })).toThrow(expect.objectContaining({ code: "EINVAL" }));
});

test("the programs of a namespace are listed in running order", () => {
  using object = load();
  using netns = new TestNetns();
  expect(querySkLookup({ netns: netns.fd })).toEqual([]);
  const ids = ["pass", "refuse"].map((name) => object.program(name).info.id);
  using first = attachSkLookup({ program: object.program("pass"), netns: netns.fd });
  using _second = attachSkLookup({ program: object.program("refuse"), netns: netns.fd });
  expect(querySkLookup({ netns: netns.fd })).toEqual(ids);
  first.detach();
  expect(querySkLookup({ netns: netns.fd })).toEqual(ids.slice(1));
});
