import { subjects } from "@millrace/core/internal";
import type { BpfMap } from "libbpf-ts";
import { link, openNetns, parseAddress } from "linux-ts";
import type { ManagedObject } from "./managed-objects.ts";
import type { Testbed } from "./testbed.ts";

/** Bits of a workload's flags. */
const WORKLOAD_PASSING = 1;
const WORKLOAD_DNS = 4;
/** Value of an address of a proxy. */
const ADDRESS_PROXY = 2;

/** Opens a map by its name. */
type Open = (name: string) => BpfMap;
type Key = (key: Uint8Array) => boolean;

const lines = (map: string): RegExp => new RegExp(`: map ${map}: `);

/** Entries of the fixture's member m1. Layouts are those of bpf/include/layout.h. */
export function memberEntries(bed: Testbed, open: Open, family: 4 | 6): ManagedObject[] {
  const subject = subjects.workload(bed.m1.uid);
  const ifindex = indexOf(bed);
  const own = (map: string, offset: number): Key => {
    using opened = open(map);
    const keys = [...opened.keys()].filter((key) => u32(key, offset) === ifindex).map(hex);
    return (key) => keys.includes(hex(key));
  };
  const address = hex(addressKey(bed.m1.address(family)));
  return [
    {
      kind: "the member's entry in workloads",
      subject,
      lines: lines("workloads"),
      guarded: true,
      meanwhile: "new connections are captured all the same",
      ...strikes(open, "workloads", (key) => u32(key, 0) === ifindex, { bit: WORKLOAD_DNS }),
    },
    {
      kind: "the flag of the member's entry in workloads that lets pass",
      subject,
      lines: lines("workloads"),
      guarded: false,
      meanwhile: "new connections of this member are not captured until the next comparison with the kernel",
      change: strikes(open, "workloads", (key) => u32(key, 0) === ifindex, { bit: WORKLOAD_PASSING }).change,
    },
    {
      kind: `the member's IPv${family} entry in members`,
      subject,
      lines: lines("members"),
      guarded: true,
      meanwhile: "connections between members and with the node may fail",
      // The last byte of the MAC.
      ...strikes(open, "members", (key) => hex(key) === address, { offset: 9 }),
    },
    ...["excluded_ports", "excluded_networks"].flatMap((map): ManagedObject[] => {
      const isOwn = own(map, map === "excluded_ports" ? 0 : 4);
      using opened = open(map);
      if (![...opened.keys()].some(isOwn)) return [];
      return [
        {
          kind: `the member's entries in ${map}`,
          subject,
          lines: lines(map),
          guarded: true,
          meanwhile: "what the member excludes is captured",
          remove: strikes(open, map, isOwn).remove,
          change: async () => exchangeKey(open, map, isOwn),
        },
      ];
    }),
  ];
}

/** Entries that hold the node's own addresses. */
export function nodeEntries(bed: Testbed, open: Open, family: 4 | 6): ManagedObject[] {
  const address = hex(addressKey(bed.node.address(family)));
  return [
    {
      kind: `the node's IPv${family} entry in addresses`,
      subject: subjects.node,
      lines: lines("addresses"),
      guarded: true,
      meanwhile: "connections with the node may fail",
      ...strikes(open, "addresses", (key) => hex(key) === address),
    },
  ];
}

/** Entries that hold the node's proxies, and what all members share. The settings are an array: their value can be changed only. */
export function proxyEntries(bed: Testbed, open: Open, family: 4 | 6): ManagedObject[] {
  const address = hex(addressKey(bed.z.address(family)));
  const all: Key = () => true;
  const shared = { subject: subjects.proxies, guarded: true } as const;
  const first: Key = (key) => u32(key, 0) === 0;
  return [
    {
      ...shared,
      kind: `the proxy's IPv${family} entry in addresses`,
      lines: lines("addresses"),
      meanwhile: "connections to the proxy's own addresses may fail",
      ...strikes(open, "addresses", (key) => hex(key) === address, { bit: ADDRESS_PROXY }),
    },
    {
      ...shared,
      kind: "the active proxy in settings",
      lines: lines("settings"),
      meanwhile: "new connections are refused: there is no proxy",
      remove: async () => write(open, "settings", first, (value) => value.fill(0, 0, 1)),
    },
    {
      ...shared,
      kind: "the draining proxies in settings",
      lines: lines("settings"),
      meanwhile: "packets are looked up in a slot that nobody has",
      change: async () => write(open, "settings", first, (value) => flip(value, 1, 0x80)),
    },
    {
      ...shared,
      kind: "the flags in settings",
      lines: lines("settings"),
      meanwhile: "members' TCP would pass if there were no proxy",
      change: async () => write(open, "settings", first, (value) => flip(value, 2, 1)),
    },
    {
      ...shared,
      kind: "the proxy's entry in proxies",
      lines: lines("proxies"),
      meanwhile: "new connections are refused: the proxy cannot be reached",
      remove: async () => write(open, "proxies", all, (value) => value.fill(0)),
      // The last byte of the MAC.
      change: async () => write(open, "proxies", first, (value) => flip(value, 13, 1)),
    },
  ];
}

/** Deletes the entries with these keys, or flips a bit of a byte of their values. */
function strikes(
  open: Open,
  map: string,
  isMeant: Key,
  { offset = 0, bit = 1 } = {},
): Required<Pick<ManagedObject, "remove" | "change">> {
  return {
    remove: async () => {
      using opened = open(map);
      for (const key of [...opened.keys()].filter(isMeant)) opened.delete(key);
    },
    change: async () => write(open, map, isMeant, (value) => flip(value, offset, bit)),
  };
}

function write(open: Open, map: string, isMeant: Key, change: (value: Uint8Array) => void): void {
  using opened = open(map);
  for (const [key, value] of [...opened.entries()]) {
    if (!isMeant(key)) continue;
    change(value);
    opened.update(key, value);
  }
}

/** Their values are always 1; what can be another is what they are about: the last byte of a key's port or address. */
function exchangeKey(open: Open, map: string, isMeant: Key): void {
  using opened = open(map);
  for (const [key, value] of [...opened.entries()].filter(([key]) => isMeant(key)).slice(0, 1)) {
    const other = Uint8Array.from(key);
    flip(other, map === "excluded_ports" ? 5 : key.length - 1, 0x40);
    opened.delete(key);
    opened.update(other, value);
  }
}

function flip(bytes: Uint8Array, offset: number, bits: number): void {
  bytes[offset] = (bytes[offset] ?? 0) ^ bits;
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

const u32 = (bytes: Uint8Array, offset: number): number => Buffer.from(bytes).readUInt32LE(offset);

/** IPv4 as ::ffff:a.b.c.d. */
function addressKey(address: string): Uint8Array {
  const bytes = parseAddress(address);
  return bytes.length === 16 ? bytes : Uint8Array.of(...new Uint8Array(10), 0xff, 0xff, ...bytes);
}

function indexOf({ node, m1 }: Testbed): number {
  using netns = openNetns(node.namespace.path);
  const found = link(netns.fd, m1.hostInterface);
  if (found === undefined) throw new Error(`there is no interface ${m1.hostInterface}`);
  return found.index;
}
