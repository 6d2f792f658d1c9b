import type { PluginLogger } from "@millrace/core";

/** Where watchers write what is for people: a constant message plus fields. The same shape as a plugin's logger. */
export type WatcherLog = PluginLogger;
