import { readdirSync, readFileSync, readlinkSync } from "node:fs";

/** When a process started, in clock ticks since boot (`proc_pid_stat(5)`, field 22); with the pid, its identity. */
export function startTime(pid: number): string | undefined {
  const stat = read(() => readFileSync(`/proc/${pid}/stat`, "utf8"));
  // The second field, the command, may hold spaces and parentheses: count from its last closing one.
  return stat?.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
}

/** The pids of the processes that this one has started and that still run (`proc_pid_stat(5)`, field 4). */
export function childrenOf(pid: number): number[] {
  return readdirSync("/proc").flatMap((name) => {
    const stat = /^\d+$/.test(name) ? read(() => readFileSync(`/proc/${name}/stat`, "utf8")) : undefined;
    return stat?.slice(stat.lastIndexOf(")") + 2).split(" ")[1] === String(pid) ? [Number(name)] : [];
  });
}

/** The pids of all processes that live in one of the network namespaces with these inode numbers. */
export function processesIn(inodes: ReadonlySet<number>): number[] {
  return readdirSync("/proc").flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    const link = read(() => readlinkSync(`/proc/${name}/ns/net`));
    const inode = Number(/^net:\[(\d+)\]$/.exec(link ?? "")?.[1]);
    return inodes.has(inode) ? [Number(name)] : [];
  });
}

/**
 * A process may end while it is looked at (ENOENT, ESRCH), and one that we may not look at (EACCES: it has more rights than
 * we) is none that we started: in both cases there is nothing of ours to read.
 */
function read(from: () => string): string | undefined {
  try {
    return from();
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === "ENOENT" || code === "ESRCH" || code === "EACCES") return undefined;
    throw error;
  }
}
