import type { Plugin, RedirectionBackend } from "@millrace/core";
import {
  CoreError,
  createBackend,
  type Logger,
  loadPlugins,
  type PluginHost,
  type Selection,
  selectBackend,
} from "@millrace/core/internal";
import ebpf from "@millrace/plugin-ebpf";
import iptables from "@millrace/plugin-iptables";
import type { Setup } from "../cli/settings-options.ts";
import { describeError } from "../logging/describe-error.ts";
import { PluginTroubles } from "./plugin-troubles.ts";

/** What comes with Millrace, in the order in which `redirectMode: auto` prefers it. */
const BUILT_IN = [ebpf, iptables] as unknown as readonly Plugin[];

/** The installed plugins and their backends. Making one touches nothing: probing and opening do. */
export interface Backends {
  readonly plugins: readonly Plugin[];
  /** Throws what making it threw, each time. */
  create(plugin: Plugin): RedirectionBackend;
  /** The one that serves, by the configured mode or this one: see core's `selectBackend`. */
  select(mode?: string): Promise<Selection>;
  /** What went wrong with them since they were loaded. */
  readonly troubles: PluginTroubles;
}

/**
 * Loads the plugins and checks every part of the configuration that is theirs, so that a mistake in it is told as one and not as
 * a backend that cannot. Throws `ERR_CONFIG_INVALID`, `ERR_PLUGIN_…`.
 */
export async function loadBackends(setup: Setup, log: Logger, signal: AbortSignal): Promise<Backends> {
  const { plugins: names, backends, failurePolicy, localDelivery, paths, redirectMode } = setup.configuration;
  const troubles = new PluginTroubles();
  const plugins = await loadPlugins(BUILT_IN, names, setup.directory, {
    log,
    ended: (name, reason) => troubles.ended(name, reason),
  });
  const host: PluginHost = {
    backends,
    policy: { failurePolicy, localDelivery },
    host: { bpffs: paths.bpffs, journal: paths.journal },
    log,
    signal,
    failed: ({ plugin, code, message }) => troubles.failed(plugin, code, message),
  };
  const made = new Map<Plugin, Made>();
  for (const plugin of plugins) made.set(plugin, await attempt(() => createBackend(plugin, host)));
  const unknown = Object.keys(backends).filter((name) => !plugins.some((plugin) => plugin.name === name));
  // It may be of one that could not be loaded: nobody knows what that calls itself.
  const isComplete = !plugins.some((plugin) => names.includes(plugin.name) && made.get(plugin)?.error !== undefined);
  if (unknown.length > 0 && isComplete) {
    const known = plugins.map(({ name }) => name).join(", ");
    throw new CoreError("ERR_CONFIG_INVALID", `backends.${unknown[0]} belongs to no plugin. Known: ${known}.`);
  }
  const create = (plugin: Plugin): RedirectionBackend => {
    const result = made.get(plugin);
    if (result?.backend === undefined) throw result?.error ?? new Error(`${plugin.name} was not loaded`);
    return result.backend;
  };
  for (const { error } of made.values()) if (describeError(error).code === "ERR_PLUGIN_CONFIG_INVALID") throw error;
  const select = (mode = redirectMode) => selectBackend({ redirectMode: mode, plugins, create });
  return { plugins, create, select, troubles };
}

interface Made {
  readonly backend?: RedirectionBackend;
  readonly error?: unknown;
}

async function attempt(make: () => Promise<RedirectionBackend>): Promise<Made> {
  try {
    return { backend: await make() };
  } catch (error) {
    return { error };
  }
}
