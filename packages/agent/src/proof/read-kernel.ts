import { existsSync, readdirSync } from "node:fs";
import { errorCode } from "@millrace/core/internal";
import {
  currentBootId,
  describeRoute,
  describeRule,
  RTPROT_MILLRACE,
  type SysctlNote,
  writtenSysctls,
} from "@millrace/host";
import { clsactLinks, ipSets, links, nftTables, readSysctl, routes, rules, tcFilters } from "linux-ts";
import type { NodeNamespace } from "../kernel/node-namespaces.ts";
import type { KernelSnapshot, NamespaceSnapshot } from "./node-snapshot.ts";

const FAMILIES = [4, 6] as const;
const DIRECTIONS = ["ingress", "egress"] as const;

/** Names and addresses that only we give: what has them is no part of what others have. */
const OURS = /(^|[\s/])(millrace|(app|shadow)_(out|in)bound|ztunnel_(host_in|tproxy|lookup))|02:4d:52:00:/;

/** Reads what the node has, in all of its namespaces. Changes nothing. */
export function readKernel(namespaces: readonly NodeNamespace[], bpffs: string, late: boolean): KernelSnapshot {
  return {
    bootId: currentBootId(),
    takenAt: new Date().toISOString(),
    late,
    namespaces: namespaces.map(readNamespace),
    pins: others(existsSync(bpffs) ? readdirSync(bpffs) : []),
  };
}

/** What the journal knows to be changed by us had another value before. */
export function withoutChanges(kernel: KernelSnapshot, notes: readonly SysctlNote[]): KernelSnapshot {
  const namespaces = kernel.namespaces.map((namespace) => {
    const ours = notes.filter(({ netnsInode }) => netnsInode === namespace.inode);
    const before = Object.fromEntries(ours.map(({ path, before }) => [path, before]));
    return { ...namespace, sysctls: { ...namespace.sysctls, ...before } };
  });
  return { ...kernel, namespaces };
}

function readNamespace({ fd, inode, isNode }: NodeNamespace): NamespaceSnapshot {
  const present = links(fd);
  const withQdisc = clsactLinks(fd);
  const interfaces = ["all", "default", ...present.map(({ name }) => name)];
  const sysctls = writtenSysctls(isNode ? "node" : "pod", interfaces).flatMap(({ path }) => {
    const value = readIfThere(fd, path);
    return value === undefined ? [] : [[path, value] as const];
  });
  return {
    inode,
    isNode,
    links: present.map(({ index, name }) => ({ index, name, clsact: clsactOf(fd, index, withQdisc) })),
    sysctls: Object.fromEntries(sysctls),
    objects: {
      devices: others(present.map(({ name, kind = "device", mac }) => `${name} ${kind} ${mac}`)),
      filters: others(present.filter(({ index }) => withQdisc.has(index)).flatMap((link) => filtersOf(fd, link))),
      rules: FAMILIES.flatMap((family) => rules(fd, family).filter(isOthers).map(describeRule)).sort(),
      routes: FAMILIES.flatMap((family) => routes(fd, { family }).filter(isOthers).map(describeRoute)).sort(),
      sets: others(ipSets(fd) ?? []),
      tables: others(nftTables(fd) ?? []),
    },
  };
}

function clsactOf(fd: number | undefined, ifindex: number, withQdisc: ReadonlySet<number>) {
  if (!withQdisc.has(ifindex)) return "none";
  const isEmpty = DIRECTIONS.every((direction) => tcFilters({ netns: fd, ifindex, direction }).length === 0);
  return isEmpty ? "empty" : "used";
}

const isOthers = ({ protocol }: { readonly protocol: number }): boolean => protocol !== RTPROT_MILLRACE;

const others = (lines: readonly string[]): string[] => lines.filter((line) => !OURS.test(line)).sort();

function filtersOf(
  fd: number | undefined,
  { index, name }: { readonly index: number; readonly name: string },
): string[] {
  return DIRECTIONS.flatMap((direction) =>
    tcFilters({ netns: fd, ifindex: index, direction }).map(({ priority, handle, kind, name: label = "" }) =>
      // The number that libbpf puts behind a program's name is its id.
      `${name} ${direction} ${priority} 0x${handle.toString(16)} ${kind} ${label.replace(/:\[\d+\]$/, "")}`.trimEnd(),
    ),
  );
}

/** IPv6 may be off, an interface may have gone. */
function readIfThere(fd: number | undefined, path: string): string | undefined {
  try {
    return readSysctl(fd, path);
  } catch (error) {
    if (errorCode(error) === "ENOENT") return undefined;
    throw error;
  }
}
