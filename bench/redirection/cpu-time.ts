import { readFileSync } from "node:fs";

/**
 * Seconds of processor time that a process of one thread has used: the first number of its `schedstat` is nanoseconds
 * (Documentation/scheduler/sched-stats.rst), where `stat` counts hundredths of a second. Throws when there is none of that id.
 */
export function cpuTime(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/schedstat`, "utf8").split(" ", 1)[0]) / 1e9;
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
