import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Where the controller `cpu` is: cgroup v1's own hierarchy, or one of cgroup v2 that hands it to its children. */
const V1 = "/sys/fs/cgroup/cpu";
const V2 = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"];

const GROUPS = ["agent", "runtime"] as const;
export type CpuGroup = (typeof GROUPS)[number];

/**
 * The agent and the container runtime in control groups of their own, with equal weights, as on a node: the kubelet puts a pod below
 * `kubepods`, and what a runtime executes is in the runtime's. Otherwise each process of a CNI plugin would count as much as the agent.
 */
export class CpuGroups implements Disposable {
  readonly #top = cpuHierarchy();

  constructor() {
    for (const group of GROUPS) mkdirSync(this.#path(group));
  }

  /** With all its threads, and all processes that it starts from now on. */
  add(group: CpuGroup, pid: number): void {
    writeFileSync(join(this.#path(group), "cgroup.procs"), String(pid));
  }

  /** Once everything in them has ended. */
  [Symbol.dispose](): void {
    for (const group of GROUPS) rmdirSync(this.#path(group));
  }

  #path(group: CpuGroup): string {
    return join(this.#top, `millrace-bench-${process.pid}-${group}`);
  }
}

function cpuHierarchy(): string {
  if (existsSync(join(V1, "cgroup.procs"))) return V1;
  const found = V2.find((path) => controllersFor(path).includes("cpu"));
  if (found === undefined)
    throw new Error(`no control groups with the controller cpu below ${V1} or ${V2.join(" or ")}`);
  return found;
}

function controllersFor(path: string): string[] {
  const file = join(path, "cgroup.subtree_control");
  return existsSync(file) ? readFileSync(file, "utf8").trim().split(" ") : [];
}
