import { readFileSync } from "node:fs";

/** Of the times in /proc: USER_HZ (include/asm-generic/param.h), whatever the kernel itself ticks with. */
const TICKS_PER_SECOND = 100;

/**
 * CPU time, in milliseconds, of this process, or of another one, and of its children that have ended: `process.cpuUsage()` leaves these out. Theirs, and
 * all of another process, come by hundredths of a second. Throws `ENOENT` for a process that is gone.
 */
export function cpuTimeMs(pid?: number): number {
  const stat = readFileSync(`/proc/${pid ?? "self"}/stat`, "utf8");
  const { own, children } = cpuTimesOf(stat);
  if (pid !== undefined) return own + children;
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000 + children;
}

/** utime, stime, cutime and cstime, from the 14th field (proc_pid_stat(5)); the second, a name in brackets, may hold spaces. */
export function cpuTimesOf(stat: string): { readonly own: number; readonly children: number } {
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [user = 0, system = 0, childrenUser = 0, childrenSystem = 0] = fields.slice(11, 15).map(Number);
  const ms = (ticks: number) => (ticks * 1000) / TICKS_PER_SECOND;
  return { own: ms(user + system), children: ms(childrenUser + childrenSystem) };
}
