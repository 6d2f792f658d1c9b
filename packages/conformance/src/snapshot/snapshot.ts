import { existsSync, readdirSync } from "node:fs";
import { join, relative } from "node:path";
import { diff } from "node:util";
import type { Lab } from "../lab/lab.ts";
import type { LabNode } from "../lab/lab-node.ts";
import type { LabPod } from "../lab/lab-pod.ts";
import type { Namespace } from "../lab/namespace.ts";
import { bpfLines } from "./bpf-lines.ts";
import { SECTIONS } from "./sections.ts";

/** The configuration of a lab's kernels and nodes as text: lines by title, each title naming its host and section. */
export type Snapshot = ReadonlyMap<string, readonly string[]>;

const MARK = "=====";

/**
 * Reads the state of the whole lab, or of one node and its pods, or of some of them: links, addresses, routes, rules, tc and tcx, nftables,
 * iptables, sets, sysctls, BPF links, and the node's pins and journal. Counters, ids and times are left out, so that two
 * snapshots of the same state are the same text.
 */
export async function snapshot(of: Lab | LabNode, pods?: readonly LabPod[]): Promise<Snapshot> {
  const nodes = "nodes" in of ? of.nodes : [of];
  const hosts = nodes.flatMap((node) => [node, ...(pods ?? node.pods)]);
  const parts = await Promise.all(hosts.map(async (host) => namespaceSections(host.name, host.namespace)));
  return new Map([...parts.flat(), ...nodes.flatMap(fileSections)]);
}

/** An entry of a set that has its time, as ipset saves it: that it has gone since is no difference. */
const EXPIRES = /^add \S+ \S+ timeout\b/;

/** What differs, one line each: `n1: routes and rules v4: + 100: from all fwmark …`. Empty when nothing does. */
export function compareSnapshots(before: Snapshot, after: Snapshot): string[] {
  const titles = [...new Set([...before.keys(), ...after.keys()])];
  return titles.flatMap((title) =>
    changes(before.get(title) ?? [], after.get(title) ?? []).map((change) => `${title}: ${change}`),
  );
}

function changes(earlier: readonly string[], after: readonly string[]): string[] {
  const before = earlier.filter((line) => !EXPIRES.test(line) || after.includes(line));
  // util.diff cannot tell anything from an empty list.
  if (before.length === 0) return after.map((line) => `+ ${line}`);
  if (after.length === 0) return before.map((line) => `- ${line}`);
  return diff(after, before)
    .filter(([operation]) => operation !== 0)
    .map(([operation, line]) => `${operation > 0 ? "+" : "-"} ${line}`);
}

/** A snapshot as text, for people and files. */
export function printSnapshot(state: Snapshot): string {
  return [...state].map(([title, lines]) => `## ${title}\n${lines.map((line) => `${line}\n`).join("")}`).join("\n");
}

async function namespaceSections(host: string, namespace: Namespace): Promise<[string, string[]][]> {
  const script = SECTIONS.map(({ title, command }) => `echo '${MARK}${title}'\n${command}`).join("\n");
  const output = await namespace.runChecked("sh", ["-c", script]);
  const bodies = output.split(MARK).slice(1);
  const sections = SECTIONS.map(({ title, omit, erase }, index): [string, string[]] => {
    const lines = (bodies[index] ?? "").split("\n").slice(1);
    const kept = lines.map((line) => line.trimEnd()).filter((line) => line !== "" && omit?.test(line) !== true);
    return [`${host}: ${title}`, kept.map((line) => (erase === undefined ? line : line.replace(erase, "")))];
  });
  return [...sections, [`${host}: bpf`, bpfLines(namespace)]];
}

/** Directories that iproute2 makes in the first BPF file system it finds, by merely being run (lib/bpf_legacy.c). */
const OF_IPROUTE2 = /^(ip|tc|xdp)(\/|$)/;

function fileSections({ name, paths }: LabNode): [string, string[]][] {
  return [
    [`${name}: pins`, tree(paths.bpffs).filter((path) => !OF_IPROUTE2.test(path))],
    [`${name}: journal`, tree(paths.journal)],
  ];
}

/** Everything below a directory; nothing when there is none, which is as empty. */
function tree(directory: string): string[] {
  if (!existsSync(directory)) return [];
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .map((entry) => `${relative(directory, join(entry.parentPath, entry.name))}${entry.isDirectory() ? "/" : ""}`)
    .sort();
}
