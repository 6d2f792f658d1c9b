import type { Call } from "../backend/contract.ts";
import { CoreError } from "../errors.ts";
import { DEADLINES_MS, GRACE_MS, type PluginVerb } from "./deadlines.ts";
import { PluginError } from "./plugin-error.ts";

/** How long calls may take, in milliseconds. Tests have no patience. */
export interface Bounds {
  readonly deadlinesMs: Readonly<Record<PluginVerb, number>>;
  readonly graceMs: number;
}

export const BOUNDS: Bounds = { deadlinesMs: DEADLINES_MS, graceMs: GRACE_MS };

/**
 * Calls a plugin with a deadline: when it has passed, the call's signal is aborted. What heeds it comes back at once; whether one that does not is ended is the matter of
 * who runs it (`PluginProcess`). Everything that goes wrong comes back as a {@link PluginError}, also what is thrown before there is a promise.
 */
export async function boundedCall<T>(
  plugin: string,
  verb: PluginVerb,
  doing: string,
  work: (call: Call) => Promise<T>,
  { deadlinesMs }: Bounds = BOUNDS,
): Promise<T> {
  const deadlineMs = deadlinesMs[verb];
  const abort = new AbortController();
  const timer = setTimeout(
    () => abort.abort(new CoreError("ERR_DEADLINE", `did not finish within ${deadlineMs} ms`)),
    deadlineMs,
  );
  try {
    return await work({ signal: abort.signal, deadlineMs });
  } catch (cause) {
    throw cause instanceof PluginError && cause.plugin === plugin ? cause : new PluginError(plugin, doing, cause);
  } finally {
    clearTimeout(timer);
  }
}
