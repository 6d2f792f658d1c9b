/**
 * An input that the engine has not taken for so long, beyond what it may wait for the event log, will not be taken any more: only a
 * restart can help then, and the redirection does not notice one.
 */
const STUCK_MS = 30_000;

/** Why the agent has to be restarted; undefined while it need not. Nothing here depends on the API server. Pure. */
export function stuck(oldestWaitMs: number, appendDeadlineMs: number): string | undefined {
  if (oldestWaitMs < STUCK_MS + appendDeadlineMs) return undefined;
  return `the engine has been stuck for ${Math.round(oldestWaitMs / 1000)} s`;
}
