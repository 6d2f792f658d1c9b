import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { z } from "zod";

const manifestSchema = z.looseObject({ name: z.string(), version: z.string(), license: z.string().optional() });

/**
 * The notices of the packages that went into a bundle, as their licences ask for: a copy has to come with the text. A package without one
 * is named with the licence that it declares.
 */
export function notices(modules: Iterable<string>): string {
  const packages = new Map<string, string>();
  for (const file of modules) {
    const directory = packageOf(file);
    if (directory === undefined) continue;
    const { name, version, license } = manifestSchema.parse(
      JSON.parse(readFileSync(join(directory, "package.json"), "utf8")),
    );
    packages.set(`${name} ${version}`, licenceText(directory) ?? `Licence: ${license ?? "none declared"}\n`);
  }
  return [...packages]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, text]) => `${name}\n${"=".repeat(name.length)}\n\n${text}`)
    .join("\n\n");
}

/** The directory of the package in node_modules that a file is of; undefined for our own files and for what a bundler makes up. */
function packageOf(file: string): string | undefined {
  if (!file.includes("/node_modules/")) return undefined;
  for (let directory = dirname(file); directory !== dirname(directory); directory = dirname(directory)) {
    const manifest = join(directory, "package.json");
    // Below a package there may be others that say "type" and no more.
    if (existsSync(manifest) && manifestSchema.safeParse(JSON.parse(readFileSync(manifest, "utf8"))).success) {
      return directory;
    }
  }
  return undefined;
}

function licenceText(directory: string): string | undefined {
  const files = readdirSync(directory).filter((file) => /^(licen[cs]e|notice|copying)/i.test(file));
  return files.length === 0 ? undefined : files.map((file) => readFileSync(join(directory, file), "utf8")).join("\n");
}
