import { statSync } from "node:fs";
import { expect, test } from "vitest";
import { attachCgroup, attachCgroupAsync, queryCgroup } from "./cgroup.ts";
import { BpfLink } from "./link.ts";
import { BpfObject } from "./object.ts";
import { readU64, testObject, u32 } from "./testing/kernel.ts";
import { CONNECT, listen } from "./testing/listener.ts";
import { TestBpffs } from "./testing/test-bpffs.ts";
import { TestCgroup } from "./testing/test-cgroup.ts";
import { TestNetns } from "./testing/test-netns.ts";

function load(): BpfObject {
  const object = BpfObject.open(testObject("hooks"));
  object.load();
  return object;
}

const attachType = "cgroup_inet4_connect";

test("a program decides about the connections of the processes in the cgroup, until its link is disposed", async () => {
  using object = load();
  using cgroup = new TestCgroup();
  using netns = new TestNetns();
  netns.run("ip", "link", "set", "lo", "up");
  await using _server = await listen(netns);
  const connects = () => cgroup.run(netns.path, CONNECT) === 0;
  expect(connects()).toBe(true);
  {
    using link = attachCgroup({ program: object.program("refuse_7777"), cgroup: cgroup.path, attachType });
    expect(connects()).toBe(false);
    link.update(object.program("let_connect"), object.program("refuse_7777"));
    expect(connects()).toBe(true);
    expect(() => link.update(object.program("refuse_7777"), object.program("refuse_7777"))).toThrow(
      expect.objectContaining({ code: "EPERM" }),
    );
    link.update(object.program("refuse_7777"));
  }
  expect(connects()).toBe(true);
});

test("packets and sock_ops are counted", async () => {
  using object = load();
  using cgroup = new TestCgroup();
  using netns = new TestNetns();
  netns.run("ip", "link", "set", "lo", "up");
  await using _server = await listen(netns);
  const count = (counter: number) => readU64(object.map("counters").lookup(u32(counter)));
  using _packets = await attachCgroupAsync({
    program: object.program("count_packet"),
    cgroup: cgroup.path,
    attachType: "cgroup_inet_egress",
  });
  using _connections = attachCgroup({
    program: object.program("count_connection"),
    cgroup: cgroup.path,
    attachType: "cgroup_sock_ops",
  });
  for (let n = 0; n < 3; n++) expect(cgroup.run(netns.path, CONNECT)).toBe(0);
  expect(count(0)).toBeGreaterThanOrEqual(9);
  expect(count(1)).toBe(3);
});

test("info, query, pin and detach", () => {
  using object = load();
  using bpffs = new TestBpffs();
  using cgroup = new TestCgroup();
  const hook = { cgroup: cgroup.path, attachType } as const;
  expect(queryCgroup(hook)).toEqual([]);
  const program = object.program("refuse_7777");
  using link = attachCgroup({ ...hook, program });
  const info = link.info();
  expect(info).toEqual({
    id: info.id,
    type: "cgroup",
    programId: program.info.id,
    attachType,
    cgroupId: statSync(cgroup.path, { bigint: true }).ino,
  });
  expect(queryCgroup(hook)).toEqual([program.info.id]);
  expect(queryCgroup({ ...hook, effective: true })).toContain(program.info.id);
  link.pin(bpffs.at("link"));
  link[Symbol.dispose]();
  expect(queryCgroup(hook)).toEqual([program.info.id]);
  using again = BpfLink.openPinned(bpffs.at("link"));
  again.detach();
  expect(again.info().cgroupId).toBe(0n);
  expect(queryCgroup(hook)).toEqual([]);
});

test("what is no cgroup, and a program of another type", () => {
  using object = load();
  using cgroup = new TestCgroup();
  const program = object.program("refuse_7777");
  const refused = (code: string) => expect.objectContaining({ name: "LibbpfError", code });
  expect(() => attachCgroup({ program, cgroup: "/tmp", attachType })).toThrow(refused("EBADF"));
  expect(() => attachCgroup({ program, cgroup: "/nothing", attachType })).toThrow(refused("ENOENT"));
  expect(() => attachCgroup({ program, cgroup: 99_999, attachType })).toThrow(refused("EBADF"));
  expect(() => attachCgroup({ program, cgroup: cgroup.path, attachType: "cgroup_sock_ops" })).toThrow(
    refused("EINVAL"),
  );
  expect(() => queryCgroup({ cgroup: "/tmp", attachType })).toThrow(refused("EBADF"));
});
