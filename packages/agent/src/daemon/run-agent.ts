import { once } from "node:events";
import type { Setup } from "../cli/settings-options.ts";
import { createLogger } from "../logging/logger.ts";
import { VERSION } from "../version.ts";
import { AGENT, compose } from "./composition.ts";
import { fateOf, removeEverything } from "./ending.ts";

export interface RunOptions {
  /** Aborted to stop the agent; its reason becomes that of `agent.stopped`. */
  readonly signal: AbortSignal;
  /** Stacks in the log. */
  readonly stacks: boolean;
}

/**
 * Runs the agent until it is told to stop. Resolves when everything is closed. The data path stays, unless no agent will come after this
 * one: then everything is removed from the node.
 * Throws `ERR_START_FAILED`, after undoing what had started, with what failed as its cause.
 */
export async function runAgent(setup: Setup, { signal, stacks }: RunOptions): Promise<void> {
  const { log: logging, node, redirectMode } = setup.configuration;
  const log = createLogger({ ...logging, stacks });
  log.info({ version: VERSION, node: node.name, redirectMode, pid: process.pid }, "agent is starting");
  const agent = await compose(setup, log, signal).get(AGENT);
  try {
    await agent.start();
    log.info("agent is running");
    if (!signal.aborted) await once(signal, "abort");
  } catch (error) {
    // Told to stop while it was starting: by now everything is undone, and that was wanted.
    if (!signal.aborted) throw error;
  }
  // While the agent still serves.
  const { successor, reason } = await fateOf(setup.configuration);
  const why = String(signal.reason?.message ?? signal.reason);
  log.info(
    { reason: why, successor, because: reason },
    successor ? "agent is stopping, redirection stays" : "agent is stopping for good",
  );
  await agent.stop();
  log.info("agent has stopped");
  if (!successor) await removeEverything(setup, log);
}
