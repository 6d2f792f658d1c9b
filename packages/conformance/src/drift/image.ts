import { existsSync, readdirSync, readlinkSync } from "node:fs";
import { join, relative } from "node:path";
import { BpfMap } from "libbpf-ts";
import type { LabNode } from "../lab/lab-node.ts";
import { type Snapshot, snapshot } from "../snapshot/snapshot.ts";
import type { Testbed } from "../suite/testbed.ts";
import { byPlace } from "./by-place.ts";

const PINS = "millrace/v1";

/** Maps that user space alone writes, with the bytes of a value that it does: a workload's flags are followed by what the programs and the clock put there. */
const MAPS: Readonly<Record<string, number | undefined>> = {
  workloads: 4,
  members: undefined,
  addresses: undefined,
  settings: undefined,
  proxies: undefined,
  excluded_ports: undefined,
  excluded_networks: undefined,
};

/** Numbers that the kernel gives out anew: indices of links, ids of namespaces. */
const NUMBERS = /^\d+: |@if\d+| link-netnsid \d+/g;

/**
 * What a node and its proxy have in their kernels, as a snapshot shows it, and what is in the eBPF backend's maps and notes. Made so that an object that
 * was deleted and made anew is the same line in the same place.
 */
export async function image({ node, z }: Testbed): Promise<Snapshot> {
  const taken = await snapshot(node, [z]);
  return new Map([
    ...[...taken].map(([title, lines]): [string, string[]] => [title, arranged(title, lines)]),
    ...mapsOf(node),
    [`${node.name}: notes`, notesOf(join(node.paths.bpffs, PINS))],
  ]);
}

/** Entries that end by themselves, with the connections that they let go on. */
const PASSING = /^add millrace-(settling|answered|plain|twin|kept)/;

function arranged(title: string, lines: readonly string[]): string[] {
  if (title.endsWith(": sets")) return lines.filter((line) => !PASSING.test(line)).sort();
  if (/: (nftables|ip6?tables \w+)$/.test(title)) return byPlace(lines);
  if (title.endsWith(": links and addresses")) return lines.map((line) => line.replace(NUMBERS, "")).sort();
  // Order counts among filters of a hook; rules begin with their priority.
  return title.endsWith(": tc filters") || title.endsWith(": bpf") ? [...lines] : [...lines].sort();
}

function mapsOf({ name, paths }: LabNode): [string, string[]][] {
  return Object.entries(MAPS).map(([map, bytes]) => {
    const path = join(paths.bpffs, PINS, "maps", map);
    if (!existsSync(path)) return [`${name}: map ${map}`, []];
    using opened = BpfMap.openPinned(path);
    const lines = [...opened.entries()].map(
      ([key, value]) => `${hex(key)}: ${hex(bytes === undefined ? value : value.subarray(0, bytes))}`,
    );
    return [`${name}: map ${map}`, lines.sort()];
  });
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

/** Notes of the eBPF backend are symbolic links to what they say. */
function notesOf(directory: string): string[] {
  if (!existsSync(directory)) return [];
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isSymbolicLink())
    .map((entry) => join(entry.parentPath, entry.name))
    .map((path) => `${join(PINS, relative(directory, path))} -> ${withoutIds(readlinkSync(path), path)}`)
    .sort();
}

/** What programs were loaded from names them and their maps by ids, which are others when they are made anew. */
const withoutIds = (note: string, path: string): string =>
  path.endsWith("/loaded-from") ? note.replaceAll(/:\d+/g, ":an id") : note;
