import { availableParallelism, loadavg } from "node:os";

/**
 * How many times slower than a usual machine this one is: `MILLRACE_SLOW`, 20 or so in an emulated one; default 1. Multiplies how
 * long the lab waits for what must come, and the bounds of what must come soon; never the time in which something must not come.
 */
export const SLOW = slowness(process.env.MILLRACE_SLOW);

/** So many milliseconds of a usual machine, on this one. */
export const within = (ms: number): number => ms * SLOW;

/**
 * A bound on what must be done soon, as {@link within}, times the number of processes that wait for each CPU: a bound on the work, not on
 * the rest of the machine's.
 */
export const soon = (ms: number): number => within(ms) * Math.max(1, (loadavg()[0] ?? 0) / availableParallelism());

export function slowness(text: string | undefined): number {
  if (text === undefined || text === "") return 1;
  const factor = Number(text);
  if (Number.isFinite(factor) && factor >= 1 && factor <= 100) return factor;
  throw new RangeError(`MILLRACE_SLOW is a factor from 1 to 100, not ${text}`);
}
