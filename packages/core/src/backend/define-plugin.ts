import type { z } from "zod";
import type { PluginContext, RedirectionBackend } from "./contract.ts";

/** The version of the contract that this core speaks. */
export const PLUGIN_API_VERSION = 1;

/** A redirection backend as a plain value. `Schema` validates the plugin's part of the configuration. */
export interface Plugin<Schema extends z.ZodType = z.ZodType> {
  /** The value of `redirectMode` that selects it: lower case, digits and dashes. */
  readonly name: string;
  readonly description: string;
  readonly apiVersion: number;
  readonly config: Schema;
  /**
   * Ids of the behaviours of docs/conformance.md that it shows, for instance `outbound-tcp`. The conformance kit calls the others unclaimed and does
   * not run them; to the agent it is nothing. Absent: all of them.
   */
  readonly claims?: readonly string[];
  create(context: PluginContext<z.output<Schema>>): RedirectionBackend;
}

/** Gives a plugin its types. Purely a helper: it registers nothing. */
export function definePlugin<Schema extends z.ZodType>(plugin: Plugin<Schema>): Plugin<Schema> {
  return plugin;
}
