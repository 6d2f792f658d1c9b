import { readFileSync, statSync } from "node:fs";
import { createRequire, findPackageJSON } from "node:module";
import { dirname, isAbsolute, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { Plugin } from "../backend/define-plugin.ts";
import { CoreError, errorCode, errorMessage } from "../errors.ts";
import { validatePlugin } from "./validate.ts";

/**
 * The file of a plugin's module. A path begins with `/`, `./` or `../`; anything else is the name of a package. Both are looked up from the directory
 * `from`, usually that of the configuration file, not from where Millrace is installed.
 *
 * Throws ERR_PLUGIN_NOT_FOUND.
 */
export function findPlugin(nameOrPath: string, from: string): string {
  return isPath(nameOrPath) ? modulePath(nameOrPath, from) : packageEntry(nameOrPath, from);
}

/**
 * The plugin that a module is: its default export, or its export `plugin`. It runs in this process. `source`: what the configuration calls it.
 *
 * Throws ERR_PLUGIN_FAILED (the module threw while it was loaded), ERR_PLUGIN_INVALID.
 */
export async function importPlugin(file: string, source: string): Promise<Plugin> {
  let module: { default?: unknown; plugin?: unknown };
  try {
    module = await import(pathToFileURL(file).href);
  } catch (cause) {
    throw new CoreError("ERR_PLUGIN_FAILED", `${source} (${file}) could not be loaded: ${errorMessage(cause)}`, {
      cause,
    });
  }
  return validatePlugin(module.default ?? module.plugin, source);
}

/** {@link findPlugin} and {@link importPlugin} in one. */
export const loadPlugin = async (nameOrPath: string, from: string): Promise<Plugin> =>
  importPlugin(findPlugin(nameOrPath, from), nameOrPath);

function isPath(nameOrPath: string): boolean {
  return isAbsolute(nameOrPath) || /^\.\.?\//.test(nameOrPath);
}

function modulePath(path: string, from: string): string {
  const file = resolve(from, path);
  const found = statSync(file, { throwIfNoEntry: false });
  if (found?.isFile() === true) return file;
  const what =
    found === undefined ? "there is no such file" : "it is not a file; name the module itself, for instance index.js";
  throw new CoreError("ERR_PLUGIN_NOT_FOUND", `${path}: ${what} (looked for ${file}).`);
}

function packageEntry(name: string, from: string): string {
  const base = join(resolve(from), "package.json");
  try {
    return createRequire(base).resolve(name);
  } catch (cause) {
    // A package may have an entry for `import` alone.
    const entry = errorCode(cause) === "ERR_PACKAGE_PATH_NOT_EXPORTED" ? importEntry(name, base) : undefined;
    if (entry !== undefined) return entry;
    throw new CoreError(
      "ERR_PLUGIN_NOT_FOUND",
      `there is no package ${name} to be found from ${from}. Install it there, or give the path of its module (beginning with ./ or /).`,
      { cause },
    );
  }
}

function importEntry(name: string, base: string): string | undefined {
  const manifest = findPackageJSON(name, pathToFileURL(base));
  if (manifest === undefined) return undefined;
  const { exports } = JSON.parse(readFileSync(manifest, "utf8")) as { exports?: Record<string, unknown> };
  const root = (exports?.["."] ?? exports) as { import?: string | { default?: string } } | undefined;
  const entry = typeof root?.import === "string" ? root.import : root?.import?.default;
  return entry === undefined ? undefined : join(dirname(manifest), entry);
}
