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

/** What comes with Millrace, in the order in which `redirectMode: auto` prefers it. */
const BUILT_IN = [ebpf, iptables] as unknown as readonly Plugin[];

/** The installed plugins and their backends. Making one touches nothing: probing and opening do. */
export interface Backends {
  readonly plugins: readonly Plugin[];
  /** Throws what making it threw, each time. */
  create(plugin: Plugin): RedirectionBackend;
  /** The one that serves, by the configured mode or this one: see core's `selectBackend`. */
  select(mode?: string): Promise<Selection>;
}

/**
 * Loads the plugins and checks every part of the configuration that is theirs, so that a mistake in it is told as one and not as
 * a backend that cannot. Throws `ERR_CONFIG_INVALID`, `ERR_PLUGIN_…`.
 */
export async function loadBackends(setup: Setup, log: Logger, signal: AbortSignal): Promise<Backends> {
  const { plugins: names, backends, failurePolicy, localDelivery, paths, redirectMode } = setup.configuration;
  const plugins = await loadPlugins(BUILT_IN, names, setup.directory);
  const host: PluginHost = {
    backends,
    policy: { failurePolicy, localDelivery },
    host: { bpffs: paths.bpffs, journal: paths.journal },
    log,
    signal,
  };
  const unknown = Object.keys(backends).filter((name) => !plugins.some((plugin) => plugin.name === name));
  if (unknown.length > 0) {
    const known = plugins.map(({ name }) => name).join(", ");
    throw new CoreError("ERR_CONFIG_INVALID", `backends.${unknown[0]} belongs to no plugin. Known: ${known}.`);
  }
  const made = new Map(plugins.map((plugin) => [plugin, attempt(() => createBackend(plugin, host))]));
  const create = (plugin: Plugin): RedirectionBackend => {
    const result = made.get(plugin);
    if (result?.backend === undefined) throw result?.error ?? new Error(`${plugin.name} was not loaded`);
    return result.backend;
  };
  for (const { error } of made.values()) if (describeError(error).code === "ERR_PLUGIN_CONFIG_INVALID") throw error;
  return { plugins, create, select: (mode = redirectMode) => selectBackend({ redirectMode: mode, plugins, create }) };
}

function attempt(make: () => RedirectionBackend): { readonly backend?: RedirectionBackend; readonly error?: unknown } {
  try {
    return { backend: make() };
  } catch (error) {
    return { error };
  }
}
