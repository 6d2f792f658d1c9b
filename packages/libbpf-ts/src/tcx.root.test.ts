import { afterEach, beforeAll, expect, test } from "vitest";
import { BpfLink } from "./link.ts";
import { BpfObject } from "./object.ts";
import type { BpfProgram } from "./program.ts";
import { attachTcx, attachTcxAsync, queryTcx, queryTcxAsync, type TcxAttachment } from "./tcx.ts";
import { currentNetns, readU64, testObject, u32 } from "./testing/kernel.ts";
import { TestBpffs } from "./testing/test-bpffs.ts";
import { TestNetns } from "./testing/test-netns.ts";

const home = currentNetns();

beforeAll(() => {
  const object = BpfObject.open(testObject("maps"));
  object.load();
  count = object.program("count");
  remember = object.program("remember");
  packets = () => readU64(object.map("an_array").lookup(u32(0)));
  return () => object[Symbol.dispose]();
});
let count: BpfProgram;
let remember: BpfProgram;
let packets: () => number;

afterEach(() => expect(currentNetns()).toBe(home));

/** A namespace with a veth pair, and the hook where what v1 sends comes in. */
function hookIn(netns: TestNetns): Omit<TcxAttachment, "program" | "position"> {
  return { ifindex: netns.addVeth(), direction: "ingress", netns: netns.fd };
}

/** Four frames from v1 arrive at v0. */
function ping(netns: TestNetns): void {
  netns.run("ip", "neigh", "replace", "198.18.0.9", "lladdr", "02:00:00:00:00:09", "dev", "v1");
  netns.run("ip", "route", "replace", "198.18.0.9/32", "dev", "v1");
  netns.run("sh", "-c", "ping -c 4 -i 0.01 -W 0.1 198.18.0.9 > /dev/null; true");
}

test("attached in another namespace, the program sees that device's packets, and none once the link is disposed", () => {
  using netns = new TestNetns();
  const hook = hookIn(netns);
  const before = packets();
  {
    using link = attachTcx({ ...hook, program: count });
    ping(netns);
    expect(packets() - before).toBeGreaterThanOrEqual(4);
    expect(link.info()).toMatchObject({ type: "tcx", ifindex: hook.ifindex, attachType: "tcx_ingress" });
  }
  const after = packets();
  ping(netns);
  expect(packets()).toBe(after);
  expect(queryTcx(hook).programs).toEqual([]);
});

test("query lists programs and links in running order; first and last are what they say", () => {
  using netns = new TestNetns();
  const hook = hookIn(netns);
  expect(queryTcx(hook)).toEqual({ revision: 1n, programs: [] });
  using a = attachTcx({ ...hook, program: count });
  using b = attachTcx({ ...hook, program: remember, position: "first" });
  using other = BpfObject.open(testObject("maps"));
  other.load();
  using c = attachTcx({ ...hook, program: other.program("count"), position: "last" });
  const { programs, revision } = queryTcx(hook);
  expect(programs).toEqual([b, a, c].map((link) => ({ programId: link.info().programId, linkId: link.info().id })));
  expect(revision).toBe(4n);
  expect(queryTcx({ ...hook, direction: "egress" }).programs).toEqual([]);
  expect(() => attachTcx({ ...hook, program: count })).toThrow(expect.objectContaining({ code: "EEXIST" }));
});

test("before and after a link or a program, and only at the expected revision", async () => {
  using netns = new TestNetns();
  const hook = hookIn(netns);
  const others = ["first", "second", "third"].map(() => {
    const object = BpfObject.open(testObject("maps"));
    object.load();
    return object;
  });
  const [one, two, three] = others.map((object) => object.program("count")) as [BpfProgram, BpfProgram, BpfProgram];
  const order = () => queryTcx(hook).programs.map(({ programId }) => programId);
  using a = attachTcx({ ...hook, program: count });
  using _before = attachTcx({ ...hook, program: one, position: { before: a } });
  using _after = await attachTcxAsync({ ...hook, program: two, position: { after: one } });
  expect(order()).toEqual([one, two, count].map(({ info }) => info.id));
  const { revision } = queryTcx(hook);
  const late = { ...hook, program: three, position: { after: count }, expectedRevision: revision - 1n } as const;
  expect(() => attachTcx(late)).toThrow(expect.objectContaining({ code: "ESTALE" }));
  await expect(attachTcxAsync(late)).rejects.toMatchObject({ code: "ESTALE" });
  using _last = attachTcx({ ...late, expectedRevision: revision });
  expect(order()).toEqual([one, two, count, three].map(({ info }) => info.id));
  expect(() => attachTcx({ ...hook, program: remember, position: { before: remember } })).toThrow(
    expect.objectContaining({ code: "ENOENT" }),
  );
  for (const object of others) object[Symbol.dispose]();
});

test("update only if the expected program is there", () => {
  using netns = new TestNetns();
  using link = attachTcx({ ...hookIn(netns), program: count });
  expect(() => link.update(count, remember)).toThrow(expect.objectContaining({ code: "EPERM" }));
  link.update(remember, count);
  expect(link.info().programId).toBe(remember.info.id);
});

test("update puts another program in the same link and place", () => {
  using netns = new TestNetns();
  const hook = hookIn(netns);
  using link = attachTcx({ ...hook, program: remember });
  const { id } = link.info();
  link.update(count);
  expect(link.info()).toMatchObject({ id, programId: count.info.id });
  const before = packets();
  ping(netns);
  expect(packets()).toBeGreaterThan(before);
});

test("links and hooks are asked on a pool thread, and answer the same; what is closed meanwhile is still asked", async () => {
  using netns = new TestNetns();
  const hook = hookIn(netns);
  const asked = () => Promise.all([queryTcxAsync(hook), queryTcxAsync({ ...hook, direction: "egress" })]);
  expect(await asked()).toEqual([
    { revision: 1n, programs: [] },
    { revision: 1n, programs: [] },
  ]);
  const link = attachTcx({ ...hook, program: count });
  const info = link.info();
  expect(await asked()).toEqual([queryTcx(hook), { revision: 1n, programs: [] }]);
  expect(await link.infoAsync()).toEqual(info);
  const late = link.infoAsync();
  link[Symbol.dispose]();
  expect(await late).toMatchObject({ id: info.id });
  await expect(link.infoAsync()).rejects.toMatchObject({ code: "ERR_CLOSED" });
  await expect(queryTcxAsync({ ...hook, ifindex: 9999 })).rejects.toMatchObject({ code: "ENODEV", errno: -19 });
});

test("a pinned link outlives its process's handle, is reopened by path and by id, and ends with detach", () => {
  using bpffs = new TestBpffs();
  using netns = new TestNetns();
  const hook = hookIn(netns);
  const first = attachTcx({ ...hook, program: count });
  const info = first.info();
  first.pin(bpffs.at("link"));
  first[Symbol.dispose]();
  expect(queryTcx(hook).programs).toEqual([{ programId: info.programId, linkId: info.id }]);
  using second = BpfLink.openPinned(bpffs.at("link"));
  using third = BpfLink.byId(info.id);
  expect(second.info()).toEqual(info);
  expect(third.info()).toEqual(info);
  second.detach();
  expect(queryTcx(hook).programs).toEqual([]);
  expect(third.info()).toMatchObject({ id: info.id, ifindex: 0 });
  expect(() => second.update(remember)).toThrow(expect.objectContaining({ code: "ENOLINK" }));
  second.detach();
});

test("when the device goes, the link stays and says ifindex 0", () => {
  using netns = new TestNetns();
  const hook = hookIn(netns);
  using link = attachTcx({ ...hook, program: count });
  netns.run("ip", "link", "del", "v0");
  expect(link.info()).toMatchObject({ type: "tcx", ifindex: 0 });
  expect(() => queryTcx(hook)).toThrow(expect.objectContaining({ code: "ENODEV", errno: -19 }));
  expect(() => attachTcx({ ...hook, program: count })).toThrow(
    expect.objectContaining({ code: "ENODEV", syscall: "bpf(BPF_LINK_CREATE)" }),
  );
});

test("the async variant does the same, several at once, and may lose its descriptors meanwhile", async () => {
  using netns = new TestNetns();
  const hook = hookIn(netns);
  const v1 = { ...hook, ifindex: netns.ifindex("v1") };
  const object = BpfObject.open(testObject("maps"));
  object.load();
  const id = object.program("count").info.id;
  const pending = [hook, v1, { ...hook, direction: "egress" as const }].map((each) =>
    attachTcxAsync({ ...each, program: object.program("count"), position: "first" }),
  );
  object[Symbol.dispose]();
  const links = await Promise.all(pending);
  expect(links.map((link) => link.info().ifindex)).toEqual([hook.ifindex, v1.ifindex, hook.ifindex]);
  expect(queryTcx(hook).programs).toEqual([{ programId: id, linkId: links[0]?.info().id }]);
  expect(currentNetns()).toBe(home);
  await expect(attachTcxAsync({ ...hook, ifindex: 9999, program: count })).rejects.toMatchObject({
    name: "LibbpfError",
    code: "ENODEV",
    log: "",
  });
  const detached = links.map((link) => link.detachAsync());
  for (const link of links) link[Symbol.dispose]();
  await Promise.all(detached);
  expect(queryTcx(hook).programs).toEqual([]);
  expect(queryTcx(v1).programs).toEqual([]);
});

test("detachAsync takes the program off while the event loop turns", async () => {
  using netns = new TestNetns();
  const hook = hookIn(netns);
  using link = attachTcx({ ...hook, program: count });
  const detached = link.detachAsync();
  expect(queryTcx(hook).programs.length).toBeLessThanOrEqual(1);
  await detached;
  expect(queryTcx(hook).programs).toEqual([]);
  expect(link.info().ifindex).toBe(0);
  await link.detachAsync();
  link[Symbol.dispose]();
  await expect(link.detachAsync()).rejects.toMatchObject({ code: "ERR_CLOSED" });
});

test("a descriptor that is no network namespace is refused before anything happens", () => {
  using netns = new TestNetns();
  const hook = hookIn(netns);
  expect(() => attachTcx({ ...hook, program: count, netns: count.fd })).toThrow(
    expect.objectContaining({ code: "EINVAL", syscall: "setns" }),
  );
  expect(() => queryTcx({ ...hook, netns: 99_999 })).toThrow(
    expect.objectContaining({ code: "EBADF", syscall: "setns" }),
  );
  expect(() => queryTcx({ ...hook, netns: -1 })).toThrow(RangeError);
});

test("without a namespace it is the process's own", () => {
  expect(queryTcx({ ifindex: 1, direction: "ingress" })).toMatchObject({ revision: expect.any(BigInt) });
});
