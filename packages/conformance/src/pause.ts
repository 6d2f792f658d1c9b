import { setTimeout as sleep } from "node:timers/promises";
import { within } from "./slow.ts";

/** Between two looks at something slow, at most: what is waited for must not wait for us. */
const LONGEST_MS = within(50);

/**
 * Waits before the next look: `ms`, or longer when the last one, begun at `began` (`performance.now()`), took its time. Looking
 * takes the processor from what is waited for; on a slow machine with one processor it would take half of it.
 */
export const pause = (ms: number, began: number): Promise<void> =>
  sleep(Math.max(ms, Math.min(LONGEST_MS, 4 * (performance.now() - began))));
