import { z } from "zod";
import type { Plugin } from "../../backend/define-plugin.ts";
import type { Logger } from "../../logger.ts";
import { BOUNDS, type Bounds, boundedCall } from "../bounded-call.ts";
import { IsolatedBackend, LINGER_MS } from "./isolated-backend.ts";
import type { Loaded } from "./messages.ts";
import { type Patience, PluginProcess } from "./plugin-process.ts";

/** A machine that is busy with other things lets a process wait for seconds; a plugin that blocks longer is a fault. */
export const SILENCE_MS = 15_000;

export interface Isolation {
  readonly log: Logger;
  /** Is told when the process of a plugin has ended by itself, or had to be ended. */
  readonly ended?: (plugin: string, reason: string) => void;
  readonly bounds?: Bounds;
  readonly silenceMs?: number;
}

/**
 * A plugin in a process of its own. What comes of a call crosses the border as a copy, and is checked. `source`: what the configuration calls it.
 *
 * Throws a PluginError with ERR_PLUGIN_INVALID, ERR_PLUGIN_FAILED (the module threw while it was loaded), ERR_PLUGIN_PROCESS, ERR_DEADLINE.
 */
export async function isolatedPlugin(file: string, source: string, isolation: Isolation): Promise<Plugin> {
  const { log, bounds = BOUNDS, silenceMs = SILENCE_MS } = isolation;
  const patience: Patience = { silenceMs, graceMs: bounds.graceMs };
  const start = async (name: string): Promise<{ process: PluginProcess; loaded: Loaded }> => {
    const process = new PluginProcess(log.child({ plugin: name }), patience);
    try {
      const load = () =>
        boundedCall(name, "load", "load", (call) => process.call("load", [file, source], call), bounds);
      return { process, loaded: await load() };
    } catch (error) {
      process.end("it could not be loaded");
      throw error;
    }
  };
  const first = await start(source);
  const { name, description, apiVersion } = first.loaded;
  const spare = new Spare();
  spare.keep(first.process);
  const again = async () => spare.take() ?? (await start(name)).process;
  return {
    name,
    description,
    apiVersion,
    config: checkedBy(async (config) => {
      const checking = await again();
      try {
        return await boundedCall(
          name,
          "check",
          "check its configuration",
          (call) => checking.call("check", [config], call),
          bounds,
        );
      } finally {
        spare.keep(checking);
      }
    }),
    create: (context) =>
      new IsolatedBackend({ start: again, context, ended: (reason) => isolation.ended?.(name, reason) }),
  };
}

/** The process that has just loaded a plugin, for what is asked of it next. */
class Spare {
  #kept: PluginProcess | undefined;

  take(): PluginProcess | undefined {
    const kept = this.#kept;
    this.#kept = undefined;
    return kept?.isUsable ? kept : undefined;
  }

  keep(process: PluginProcess): void {
    this.#kept = process;
    const end = () => {
      if (this.#kept === process) this.take()?.end("it is not needed any more");
    };
    setTimeout(end, LINGER_MS).unref();
  }
}

interface Issue {
  readonly path: readonly (string | number)[];
  readonly message: string;
}

/** The schema is on the other side: here only what it says of a value is known. The value goes there as it is. */
function checkedBy(check: (config: unknown) => Promise<readonly Issue[]>): z.ZodType {
  return z.unknown().superRefine(async (config, context) => {
    for (const { path, message } of await check(config)) {
      context.addIssue({ code: "custom", path: [...path], message });
    }
  });
}
