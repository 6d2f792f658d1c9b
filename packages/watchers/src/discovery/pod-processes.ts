import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

export interface PodProcess {
  readonly pid: number;
  /** Time of its start in clock ticks since boot: field 22 of `/proc/<pid>/stat`, proc_pid_stat(5). */
  readonly startedAt: number;
  /** The names of the cgroups it is in, in every hierarchy. */
  readonly cgroups: ReadonlySet<string>;
}

/** Process ids, ascending. */
export async function listPids(procfs: string): Promise<number[]> {
  const names = await readdir(procfs);
  return names
    .filter((name) => /^[1-9]\d*$/.test(name))
    .map(Number)
    .sort((a, b) => a - b);
}

/** Every process that is in a cgroup of some pod, the oldest first (in a pod that is the sandbox's `pause`). */
export async function listPodProcesses(procfs: string): Promise<PodProcess[]> {
  const found: PodProcess[] = [];
  for (const pid of await listPids(procfs)) {
    const cgroups = parseCgroups(await readIfAlive(join(procfs, String(pid), "cgroup")));
    if (![...cgroups].some((name) => name.includes("pod"))) continue;
    const startedAt = parseStartTime(await readIfAlive(join(procfs, String(pid), "stat")));
    if (startedAt !== undefined) found.push({ pid, startedAt, cgroups });
  }
  return found.sort((a, b) => a.startedAt - b.startedAt || a.pid - b.pid);
}

/**
 * The directory names in a `/proc/<pid>/cgroup` file. Each line is `hierarchy:controllers:path` (cgroups(7)), for version 1 one
 * per hierarchy and for version 2 the line `0::path`; a path may hold colons, and begins with `/..` when seen from a cgroup namespace.
 */
export function parseCgroups(text: string): Set<string> {
  const names = new Set<string>();
  for (const line of text.split("\n")) {
    const path = line.split(":").slice(2).join(":");
    for (const name of path.split("/")) if (name !== "" && name !== "..") names.add(name);
  }
  return names;
}

/** The command, field 2, is in parentheses and may hold spaces and parentheses, so fields are counted from the last one on. */
export function parseStartTime(stat: string): number | undefined {
  const field = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
  return field === undefined || !/^\d+$/.test(field) ? undefined : Number(field);
}

/**
 * Whether the process belongs to the pod. The kubelet names a pod's cgroup `pod<uid>` with the cgroupfs driver, and
 * `kubepods[-<qos>]-pod<uid>.slice`, dashes of the uid as underscores, with the systemd driver
 * (kubernetes/pkg/kubelet/cm: pod_container_manager_linux.go, cgroup_manager_linux.go `escapeSystemdCgroupName`).
 */
export function belongsToPod(process: PodProcess, uid: string): boolean {
  if (process.cgroups.has(`pod${uid}`)) return true;
  const slice = `pod${uid.replaceAll("-", "_")}.slice`;
  for (const name of process.cgroups) if (name === slice || name.endsWith(`-${slice}`)) return true;
  return false;
}

/** Empty when the process ended meanwhile. */
async function readIfAlive(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === "ENOENT" || code === "ESRCH" || code === "ENOTDIR") return "";
    throw error;
  }
}
