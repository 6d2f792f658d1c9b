import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { BpfMap } from "libbpf-ts";
import type { LabNode } from "../lab/lab-node.ts";
import { processesIn } from "../lab/process-table.ts";
import { type Snapshot, snapshot } from "../snapshot/snapshot.ts";
import { ESCAPES_TABLE } from "../suite/server-escapes.ts";
import { normalForm } from "./normal-form.ts";

/** Maps that say what is redirected. The others are written by programs: connections, counters, what a packet held. */
const CONFIGURATION = [
  "settings",
  "proxies",
  "workloads",
  "members",
  "addresses",
  "excluded_ports",
  "excluded_networks",
];

/** Programs by which an agent changes something; one that is still there after it is not at its end. */
const PROGRAM = /^(ip|tc|ipset|nft|conntrack|sysctl|nsenter|ip6?tables\S*|xtables\S*)$/;

/** Entries of sets that go by themselves: by how long ago a member came, not by what was done since. */
const EXPIRES = /^add millrace-settling/;

/**
 * All that an agent has made on its node: what a snapshot shows, the entries of the maps that are pinned, and the programs that still
 * run for it. What the kernel holds for nobody, neither pinned nor attached, is gone with the process that had it (bpf(2)).
 */
export async function kernelImage(node: LabNode): Promise<Snapshot> {
  const state = normalForm(await snapshot(node));
  return new Map([
    ...[...state].map(
      ([title, lines]) => [title, withoutCounters(lines).filter((line) => !EXPIRES.test(line))] as const,
    ),
    [`${node.name}: entries of maps`, mapEntries(join(node.paths.bpffs, "millrace"))],
    [`${node.name}: programs that run`, programs(node)],
  ]);
}

/** What counts escapes is in the members' namespaces too, and knows who came: its table is the lab's own. */
function withoutCounters(lines: readonly string[]): string[] {
  let isOurs = false;
  return lines.filter((line) => {
    if (line === `table inet ${ESCAPES_TABLE} {`) isOurs = true;
    const isKept = !isOurs;
    if (line === "}") isOurs = false;
    return isKept;
  });
}

/** `v1/maps/members: <key> <value>`, in hexadecimal. */
function mapEntries(base: string): string[] {
  if (!existsSync(base)) return [];
  return readdirSync(base)
    .flatMap((version) => CONFIGURATION.map((name) => join(version, "maps", name)))
    .filter((pin) => existsSync(join(base, pin)))
    .flatMap((pin) => {
      using map = BpfMap.openPinned(join(base, pin));
      const name = map.info.name;
      return [...map.entries()].map(([key, value]) => `${pin}: ${hex(key)} ${hex(lasting(name, value))}`);
    })
    .sort();
}

/** Of a workload's value only the flags: that it is delivered by the host is set by packets, and how long it adopts depends on when it came (bpf/include/layout.h). */
const lasting = (map: string, value: Uint8Array): Uint8Array => (map === "workloads" ? value.subarray(0, 4) : value);

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

function programs({ namespace, pods }: LabNode): string[] {
  const inodes = new Set([namespace, ...pods.map((pod) => pod.namespace)].map(({ path }) => statSync(path).ino));
  return processesIn(inodes)
    .map(commandOf)
    .filter((command) => PROGRAM.test(command))
    .sort();
}

/** Empty when it has ended meanwhile. */
function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/comm`, "utf8").trim();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ESRCH") return "";
    throw error;
  }
}
