import type { NodePolicy, Plugin, PluginContext, PluginLogger } from "@millrace/core";
import type { z } from "zod";

/** A line that a plugin logged. */
export interface LoggedLine {
  readonly level: keyof PluginLogger;
  readonly message: string;
  readonly fields: object;
}

export interface FakeContextOptions {
  /** As in the agent's configuration file, before the plugin's schema. */
  readonly config?: unknown;
  readonly policy?: Partial<NodePolicy>;
  /** Where the plugin may write; default a path that is not there. */
  readonly directory?: string;
}

/** What the agent would hand to a plugin, and what the plugin did with it. Throws a ZodError for a configuration that its schema refuses. */
export function fakeContext<Schema extends z.ZodType>(
  plugin: Plugin<Schema>,
  { config = {}, policy = {}, directory = "/nonexistent/millrace" }: FakeContextOptions = {},
): { readonly context: PluginContext<z.output<Schema>>; readonly log: readonly LoggedLine[]; stop(): void } {
  const log: LoggedLine[] = [];
  const stopping = new AbortController();
  const at = (level: keyof PluginLogger) => (fields: object, message: string) => {
    log.push({ level, message, fields });
  };
  const context = {
    config: plugin.config.parse(config),
    policy: { failurePolicy: "closed", localDelivery: "direct", ...policy } as const,
    log: { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") },
    host: { bpffs: `${directory}/bpf`, journal: `${directory}/journal` },
    signal: stopping.signal,
  };
  return { context, log, stop: () => stopping.abort() };
}
