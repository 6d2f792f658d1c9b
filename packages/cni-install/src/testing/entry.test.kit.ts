import { parseConfiguration } from "@millrace/core/internal";
import { type PluginEntry, pluginEntry } from "../entry.ts";

/** Our entry as the defaults make it. */
export const ENTRY: PluginEntry = pluginEntry(parseConfiguration({}));
