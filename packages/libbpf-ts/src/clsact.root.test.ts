import { afterEach, beforeAll, expect, test } from "vitest";
import { attachClsact, attachClsactAsync, type ClsactFilter, detachClsact, queryClsact } from "./clsact.ts";
import { BpfObject } from "./object.ts";
import type { BpfProgram } from "./program.ts";
import { currentNetns, testObject } from "./testing/kernel.ts";
import { TestNetns } from "./testing/test-netns.ts";

const home = currentNetns();
let count: BpfProgram;
let remember: BpfProgram;

beforeAll(() => {
  const object = BpfObject.open(testObject("maps"));
  object.load();
  count = object.program("count");
  remember = object.program("remember");
  return () => object[Symbol.dispose]();
});

afterEach(() => expect(currentNetns()).toBe(home));

function filterIn(netns: TestNetns): ClsactFilter {
  return { ifindex: netns.addVeth(), direction: "ingress", priority: 5, handle: 7, netns: netns.fd };
}

test("attach creates the qdisc, query finds the filter, detach leaves the qdisc", () => {
  using netns = new TestNetns();
  const filter = filterIn(netns);
  expect(queryClsact(filter)).toBeUndefined();
  expect(attachClsact({ ...filter, program: count })).toEqual({ priority: 5, handle: 7, programId: count.info.id });
  expect(queryClsact(filter)).toEqual({ programId: count.info.id });
  expect(netns.run("tc", "filter", "show", "dev", "v0", "ingress")).toMatch(/pref 5 bpf .*handle 0x7 .*direct-action/);
  expect(queryClsact({ ...filter, handle: 8 })).toBeUndefined();
  expect(queryClsact({ ...filter, direction: "egress" })).toBeUndefined();
  expect(detachClsact(filter)).toBe(true);
  expect(queryClsact(filter)).toBeUndefined();
  expect(detachClsact(filter)).toBe(false);
  expect(netns.run("tc", "qdisc", "show", "dev", "v0")).toContain("clsact");
});

test("a taken handle is EEXIST with the kernel's words, unless it is to be replaced", () => {
  using netns = new TestNetns();
  const filter = filterIn(netns);
  attachClsact({ ...filter, program: count });
  expect(() => attachClsact({ ...filter, program: remember })).toThrow(
    expect.objectContaining({
      code: "EEXIST",
      errno: -17,
      syscall: "bpf_tc_attach",
      log: expect.stringMatching(/Kernel error/),
    }),
  );
  expect(queryClsact(filter)).toEqual({ programId: count.info.id });
  attachClsact({ ...filter, program: remember, replace: true });
  expect(queryClsact(filter)).toEqual({ programId: remember.info.id });
  expect(netns.run("tc", "filter", "show", "dev", "v0", "ingress").match(/handle/g)).toHaveLength(1);
});

test("foreign filters are left alone: another priority, another handle, another kind", () => {
  using netns = new TestNetns();
  const filter = filterIn(netns);
  netns.run("tc", "qdisc", "add", "dev", "v0", "clsact");
  netns.run("sh", "-c", "tc filter add dev v0 ingress pref 9 protocol all u32 match u32 0 0 flowid 1:1");
  attachClsact({ ...filter, program: remember });
  attachClsact({ ...filter, handle: 8, program: remember });
  attachClsact({ ...filter, program: count, replace: true });
  expect(detachClsact(filter)).toBe(true);
  expect(queryClsact({ ...filter, handle: 8 })).toEqual({ programId: remember.info.id });
  expect(netns.run("tc", "filter", "show", "dev", "v0", "ingress")).toContain("u32");
  expect(() => detachClsact({ ...filter, priority: 9 })).toThrow(expect.objectContaining({ code: "EINVAL" }));
  expect(netns.run("tc", "filter", "show", "dev", "v0", "ingress")).toContain("u32");
});

test("0 lets the kernel choose priority and handle", () => {
  using netns = new TestNetns();
  const filter = { ...filterIn(netns), priority: 0, handle: 0 };
  const chosen = attachClsact({ ...filter, program: count });
  expect(chosen.priority).toBeGreaterThan(0);
  expect(chosen.handle).toBeGreaterThan(0);
  expect(queryClsact({ ...filter, ...chosen })).toEqual({ programId: count.info.id });
});

test("on a pool thread, in another namespace, with what the kernel said when it goes wrong", async () => {
  using netns = new TestNetns();
  const filter = filterIn(netns);
  const both = (["ingress", "egress"] as const).map((direction) => ({ ...filter, direction }));
  const attached = await Promise.all(both.map((place) => attachClsactAsync({ ...place, program: count })));
  expect(attached).toEqual(both.map(({ priority, handle }) => ({ priority, handle, programId: count.info.id })));
  for (const place of both) expect(queryClsact(place)).toEqual({ programId: count.info.id });
  await expect(attachClsactAsync({ ...filter, program: remember })).rejects.toMatchObject({
    code: "EEXIST",
    log: expect.stringContaining("already exists"),
  });
  await attachClsactAsync({ ...filter, program: remember, replace: true });
  expect(queryClsact(filter)).toEqual({ programId: remember.info.id });
});

test("a device that is gone has no filter", () => {
  using netns = new TestNetns();
  const filter = filterIn(netns);
  attachClsact({ ...filter, program: count });
  netns.run("ip", "link", "del", "v0");
  expect(detachClsact(filter)).toBe(false);
  expect(() => queryClsact(filter)).toThrow(expect.objectContaining({ code: "ENODEV" }));
  expect(() => attachClsact({ ...filter, program: count })).toThrow(expect.objectContaining({ code: "ENODEV" }));
});

test("a priority that is none is refused", () => {
  using netns = new TestNetns();
  const filter = filterIn(netns);
  expect(() => attachClsact({ ...filter, program: count, priority: 65_536 })).toThrow(
    expect.objectContaining({ code: "EINVAL" }),
  );
  expect(() => attachClsact({ ...filter, program: count, handle: -1 })).toThrow(TypeError);
});
