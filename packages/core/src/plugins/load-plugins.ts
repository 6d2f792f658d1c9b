import { z } from "zod";
import { PLUGIN_API_VERSION, type Plugin } from "../backend/define-plugin.ts";
import { CoreError, errorCode } from "../errors.ts";
import { findPlugin } from "./load-plugin.ts";
import { type Isolation, isolatedPlugin } from "./process/isolated-plugin.ts";

/** Mistakes of who configured it. Whatever else goes wrong is the plugin's fault, and must not be the node's. */
const MISTAKES = ["ERR_PLUGIN_NOT_FOUND", "ERR_PLUGIN_INVALID"];

/**
 * Those that come with Millrace, which run in this process, and those that `names` name, each in a process of its own. One that fails while it is loaded is
 * among them all the same, under the name that the configuration has for it: what is asked of it fails with what it failed with, and the others serve.
 *
 * Throws ERR_PLUGIN_NOT_FOUND, ERR_PLUGIN_INVALID, and ERR_PLUGIN_DUPLICATE for a name that is taken twice.
 */
export async function loadPlugins(
  builtIn: readonly Plugin[],
  names: readonly string[],
  from: string,
  isolation: Isolation,
): Promise<Plugin[]> {
  const plugins = [...builtIn];
  for (const name of names) {
    const plugin = await loadOne(name, from, isolation);
    if (plugins.some((other) => other.name === plugin.name)) {
      throw new CoreError(
        "ERR_PLUGIN_DUPLICATE",
        `${name}: there is already a plugin called ${plugin.name}. Give it another name, or take it out of \`plugins\`.`,
      );
    }
    plugins.push(plugin);
  }
  return plugins;
}

async function loadOne(name: string, from: string, isolation: Isolation): Promise<Plugin> {
  const file = findPlugin(name, from);
  try {
    return await isolatedPlugin(file, name, isolation);
  } catch (error) {
    if (MISTAKES.includes(errorCode(error))) throw error;
    return brokenPlugin(name, error);
  }
}

/** Stands for a plugin that could not be loaded: nobody knows what it calls itself. */
function brokenPlugin(name: string, error: unknown): Plugin {
  return {
    name,
    description: "could not be loaded",
    apiVersion: PLUGIN_API_VERSION,
    config: z.unknown(),
    create: () => {
      throw error;
    },
  };
}
