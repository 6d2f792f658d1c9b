import type { SysctlNote } from "@millrace/host";
import { describe, expect, test } from "vitest";
import { compareKernel } from "./compare-kernel.ts";
import { completeSnapshot } from "./complete-snapshot.ts";
import type { KernelSnapshot, NamespaceSnapshot } from "./node-snapshot.ts";

const NOTHING = { devices: [], filters: [], rules: [], routes: [], sets: [], tables: [] };
const RP_FILTER = "net/ipv4/conf/h-a/rp_filter";

function namespace(changes: Partial<NamespaceSnapshot> = {}): NamespaceSnapshot {
  return {
    inode: 1,
    isNode: true,
    links: [{ index: 2, name: "h-a", clsact: "none" }],
    sysctls: { [RP_FILTER]: "1", "net/ipv4/conf/default/rp_filter": "1" },
    objects: NOTHING,
    ...changes,
  };
}

const kernel = (namespaces: NamespaceSnapshot[], changes: Partial<KernelSnapshot> = {}): KernelSnapshot => ({
  bootId: "b",
  takenAt: "2026-01-02T03:04:05.678Z",
  late: false,
  namespaces,
  pins: [],
  ...changes,
});

const before = kernel([namespace()]);
const withQdisc = namespace({ links: [{ index: 2, name: "h-a", clsact: "empty" }] });
const nothing = { left: [], unclaimed: [], others: [] };

test("a node that did not change shows nothing", () => {
  expect(compareKernel(before, before)).toEqual(nothing);
});

describe("a sysctl of an interface that was there", () => {
  const set = (value: string) => kernel([namespace({ sysctls: { ...namespace().sysctls, [RP_FILTER]: value } })]);

  test("with the value that we write is ours", () => {
    expect(compareKernel(before, set("2")).left).toEqual([`sysctl ${RP_FILTER} is 2, it was 1 (node)`]);
  });

  test("with any other value is somebody else's", () => {
    expect(compareKernel(before, set("0"))).toEqual(nothing);
  });

  test("that had our value before is as it was, unless it may have been ours then", () => {
    expect(compareKernel(set("2"), set("2"))).toEqual(nothing);
    expect(compareKernel({ ...set("2"), late: true }, set("2"))).toEqual({
      ...nothing,
      unclaimed: [`sysctl ${RP_FILTER} is 2, new ones have 1 (node)`],
    });
  });
});

describe("a qdisc without filters", () => {
  test("where none was is ours", () => {
    expect(compareKernel(before, kernel([withQdisc])).left).toEqual([
      "clsact qdisc of h-a without a filter (node): it had none",
    ]);
  });

  test("where one was is theirs", () => {
    expect(compareKernel(kernel([withQdisc]), kernel([withQdisc]))).toEqual(nothing);
  });

  test("where a late snapshot has one, or none, may be ours", () => {
    for (const earlier of [withQdisc, namespace()]) {
      const { left, unclaimed } = compareKernel(kernel([earlier], { late: true }), kernel([withQdisc]));
      expect({ left, unclaimed }).toEqual({ left: [], unclaimed: ["clsact qdisc of h-a without a filter (node)"] });
    }
  });

  test("is none with somebody's filter on it", () => {
    const filters = ["h-a ingress 1 0x1 bpf theirs"];
    const links: NamespaceSnapshot["links"] = [{ index: 2, name: "h-a", clsact: "used" }];
    const now = kernel([namespace({ links, objects: { ...NOTHING, filters } })]);
    const filter = "filter h-a ingress 1 0x1 bpf theirs is new (node)";
    expect(compareKernel(before, now)).toEqual({ ...nothing, others: [filter] });
  });
});

describe("an interface that is younger than the snapshot, or of the same name", () => {
  const links: NamespaceSnapshot["links"] = [{ index: 3, name: "h-a", clsact: "empty" }];
  const sysctls = { ...namespace().sysctls, [RP_FILTER]: "2" };

  test("may have our traces, and nothing tells", () => {
    const { left, unclaimed } = compareKernel(before, kernel([namespace({ links, sysctls })]));
    expect(left).toEqual([]);
    expect(unclaimed).toEqual([
      `sysctl ${RP_FILTER} is 2, new ones have 1 (node)`,
      "clsact qdisc of h-a without a filter (node)",
    ]);
  });

  test("has what new interfaces get", () => {
    const usual = { [RP_FILTER]: "2", "net/ipv4/conf/default/rp_filter": "2" };
    expect(compareKernel(before, kernel([namespace({ links: [], sysctls: usual })])).unclaimed).toEqual([]);
  });
});

describe("the range of source ports of a pod", () => {
  const PORTS = "net/ipv4/ip_local_port_range";
  const pod = (range: string) => kernel([namespace({ isNode: false, sysctls: { [PORTS]: range } })]);

  test("is ours where it is a half of what it was", () => {
    const { left } = compareKernel(pod("1000\t8999"), pod("1000\t4999"));
    expect(left).toEqual([`sysctl ${PORTS} is 1000 to 4999, it was 1000 to 8999 (network namespace 1)`]);
    expect(compareKernel(pod("1000\t8999"), pod("1000\t4000"))).toEqual(nothing);
  });

  test("may be ours where it is a half of the usual one, and nothing is known", () => {
    const told = [`sysctl ${PORTS} is 46884 to 60999, new ones have 32768 to 60999 (network namespace 1)`];
    expect(compareKernel(undefined, pod("46884\t60999"))).toMatchObject({ left: [], unclaimed: told });
    expect(compareKernel(undefined, pod("32768\t60999"))).toMatchObject({ left: [], unclaimed: [] });
  });
});

test("without a snapshot nothing is told to be ours by comparison", () => {
  const now = kernel([{ ...withQdisc, sysctls: { ...namespace().sysctls, [RP_FILTER]: "2" } }]);
  expect(compareKernel(undefined, now)).toMatchObject({
    left: [],
    unclaimed: [expect.any(String), expect.any(String)],
  });
});

test("what others did is told as theirs: objects, namespaces and pins that came and went", () => {
  const rules = (line: string) => namespace({ objects: { ...NOTHING, rules: [line] } });
  const from = kernel([rules("9: lookup 9"), namespace({ inode: 7, isNode: false })], { pins: ["tc"] });
  const to = kernel([rules("8: lookup 8"), namespace({ inode: 8, isNode: false })], { pins: ["cilium"] });
  expect(compareKernel(from, to)).toEqual({
    left: [],
    unclaimed: [],
    others: [
      "rule 8: lookup 8 is new (node)",
      "rule 9: lookup 9 is gone (node)",
      "network namespace 8 is new",
      "network namespace 7 is gone",
      "pin cilium is new",
      "pin tc is gone",
    ],
  });
});

describe("an interface that is younger than the snapshot, and known to the journal when everything was removed", () => {
  const young = "net/ipv4/conf/h-z/rp_filter";
  const withYoung = (value: string) =>
    kernel([
      namespace({
        links: [...namespace().links, { index: 9, name: "h-z", clsact: "empty" }],
        sysctls: { ...namespace().sysctls, [young]: value },
      }),
    ]);
  const notes = [{ netnsInode: 1, path: young, before: "1", written: "2" }];
  const complete = completeSnapshot(before, withYoung("2"), notes);

  test("is compared with what it was", () => {
    expect(compareKernel(complete, withYoung("2")).left).toEqual([`sysctl ${young} is 2, it was 1 (node)`]);
    expect(compareKernel(complete, withYoung("1")).left).toEqual([]);
    expect(compareKernel(before, withYoung("2")).left).toEqual([]);
  });

  test("may have had its qdisc before us", () => {
    expect(compareKernel(complete, withYoung("1")).unclaimed).toEqual(["clsact qdisc of h-z without a filter (node)"]);
  });

  test("that has the name of one that was there is not taken for it", () => {
    const again = namespace({ links: [{ index: 9, name: "h-a", clsact: "none" }] });
    const known = completeSnapshot(before, kernel([again]), [
      { netnsInode: 1, path: RP_FILTER, before: "0", written: "2" },
    ]);
    const now = kernel([{ ...again, sysctls: { ...again.sysctls, [RP_FILTER]: "2" } }]);
    expect(compareKernel(known, now).left).toEqual([`sysctl ${RP_FILTER} is 2, it was 0 (node)`]);
  });

  test("in a namespace that is younger too", () => {
    const path = "net/ipv4/conf/eth0/rp_filter";
    const pod = (value: string): NamespaceSnapshot => ({
      inode: 7,
      isNode: false,
      links: [{ index: 2, name: "eth0", clsact: "none" }],
      sysctls: { [path]: value },
      objects: { ...NOTHING, rules: ["theirs"] },
    });
    const now = (value: string) => kernel([namespace(), pod(value)]);
    const known = completeSnapshot(before, now("2"), [{ netnsInode: 7, path, before: "1", written: "2" }]);
    expect(compareKernel(known, now("2"))).toEqual({
      ...nothing,
      left: [`sysctl ${path} is 2, it was 1 (network namespace 7)`],
    });
    expect(compareKernel(known, now("1"))).toEqual(nothing);
  });

  test("what the journal says nothing of stays as it was noted", () => {
    expect(completeSnapshot(before, withYoung("2"), [])).toEqual(before);
    const other = kernel([namespace(), namespace({ inode: 5, isNode: false })]);
    expect(completeSnapshot(other, other, notes).namespaces).toContainEqual(other.namespaces[1]);
    expect(completeSnapshot(other, kernel([]), [{ ...notes[0], netnsInode: 5 } as SysctlNote]).namespaces).toHaveLength(
      2,
    );
  });
});
