import { readFileSync } from "node:fs";

/** USER_HZ, in which the kernel shows processor time on every architecture that Node runs on (proc(5)). */
const TICKS_PER_SECOND = 100;
/** Of proc_pid_stat(5), counted from behind the program's name: utime and stime. */
const [UTIME, STIME] = [11, 12];

/** Seconds of processor time that a process has used. Throws when there is none of that id. */
export function cpuTime(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[UTIME]) + Number(fields[STIME])) / TICKS_PER_SECOND;
}

/** The same of a command from its start to its end: bash writes it last, in seconds, to standard error. */
export const timedCommand = (command: readonly string[]): string[] => [
  "bash",
  "-c",
  'TIMEFORMAT="cpu %3U %3S"; time "$@"',
  "bash",
  ...command,
];

export function readTimed(errorOutput: string): number {
  const [, user, system] = /^cpu ([\d.]+) ([\d.]+)$/m.exec(errorOutput) ?? [];
  if (user === undefined || system === undefined) throw new Error(`bash has told no time: ${errorOutput}`);
  return Number(user) + Number(system);
}
