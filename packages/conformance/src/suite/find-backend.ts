import { existsSync, readFileSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { loadPlugin } from "@millrace/core/internal";
import { exports as exportsEntry, legacy as mainEntry } from "resolve.exports";
import { LabError } from "../errors.ts";

/** Backends that the agent has without being told of a plugin. */
export const BUILT_IN: readonly string[] = ["ebpf", "iptables"];

/** What a run needs to know of a backend. */
export interface FoundBackend {
  /** The agent's `redirectMode`. */
  readonly name: string;
  /** Plugins the agent is to load for it: absolute paths, or names of packages. */
  readonly plugins: readonly string[];
  /** Ids of the behaviours it claims; absent: all. */
  readonly claims?: readonly string[];
}

/**
 * Finds a backend: built in by its name; a plugin's module or its directory by a path (`.`, `./my-backend`, `/srv/mine/index.js`); else one of
 * `plugins` by the name it gives itself, or an installed package. Paths and packages are looked up from the directory `from`.
 *
 * Throws ERR_SUITE_USAGE when there is none, and what loading a plugin throws: ERR_PLUGIN_NOT_FOUND, ERR_PLUGIN_FAILED, ERR_PLUGIN_INVALID.
 */
export async function findBackend(wanted: string, plugins: readonly string[], from: string): Promise<FoundBackend> {
  const absolute = plugins.map((plugin) => (isPath(plugin) ? entryOf(resolve(from, plugin)) : plugin));
  if (BUILT_IN.includes(wanted)) return { name: wanted, plugins: absolute };
  for (const plugin of absolute) {
    const { name, claims } = await loadPlugin(plugin, from);
    if (name === wanted) return { name, plugins: absolute, ...(claims && { claims }) };
  }
  if (!isPath(wanted) && existsSync(join(from, wanted, "package.json"))) {
    throw new LabError(
      "ERR_SUITE_USAGE",
      `${wanted} is a directory: write ./${wanted}, else it is the name of a package`,
    );
  }
  const module = isPath(wanted) ? entryOf(resolve(from, wanted)) : wanted;
  const { name, claims } = await loadPlugin(module, from);
  // The agent looks packages up from where its configuration file lies: that is in the lab.
  const path = isPath(wanted) ? module : installedEntry(wanted, from);
  return { name, plugins: [...absolute, path], ...(claims && { claims }) };
}

const isPath = (wanted: string): boolean => wanted.startsWith("/") || /^\.\.?(\/|$)/.test(wanted);

/** The module that a path means: itself, or what the package in that directory exports. */
function entryOf(path: string): string {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory() !== true) return path;
  const manifest = join(path, "package.json");
  if (!existsSync(manifest)) return join(path, "index.js");
  const described = JSON.parse(readFileSync(manifest, "utf8")) as { name: string };
  // Node's own rules, which it does not offer for a package that nobody has installed.
  const [exported] = exportsEntry(described, ".") ?? [];
  const entry = exported ?? mainEntry(described, { browser: false, fields: ["module", "main"] }) ?? "index.js";
  const file = join(path, String(entry));
  if (existsSync(file)) return file;
  throw new LabError("ERR_SUITE_USAGE", `${manifest} names ${entry}, which is not there: build the backend first`);
}

/** Where an installed package is: the nearest `node_modules` upward that has it. */
function installedEntry(name: string, from: string): string {
  for (let directory = resolve(from); ; directory = join(directory, "..")) {
    const installed = join(directory, "node_modules", name);
    if (existsSync(join(installed, "package.json"))) return entryOf(installed);
    if (directory === "/") return name;
  }
}
