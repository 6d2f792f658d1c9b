export interface Backoff {
  /** Delay before the second try, in milliseconds. */
  readonly baseMs: number;
  /** No delay is longer, in milliseconds. */
  readonly capMs: number;
}

export const DEFAULT_BACKOFF: Backoff = { baseMs: 100, capMs: 30_000 };

/**
 * Delay after the given number of failures: doubled each time up to the cap, of which a random half is taken off, so that keys that failed
 * together do not come back together ("equal jitter"). `random` is in [0, 1).
 */
export function backoffDelay({ baseMs, capMs }: Backoff, failures: number, random: number): number {
  const full = Math.min(capMs, baseMs * 2 ** Math.min(failures - 1, 30));
  return Math.round(full / 2 + (full / 2) * random);
}
