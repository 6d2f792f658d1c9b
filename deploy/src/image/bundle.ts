import { mkdirSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { pathToFileURL } from "node:url";
import { type Plugin, rolldown } from "rolldown";

export interface Bundles {
  /** The checkout. */
  readonly root: string;
  /** Programs below it, as `tsc -b` left them. */
  readonly entries: readonly string[];
  /** Where the bundles are written, each at the path its program has in the checkout. */
  readonly directory: string;
  /** Where they, and the files that they look for, will lie when they run; default `root`. */
  readonly runsAt?: string;
}

/** Writes each program with all its modules in one file. Resolves to the modules' files. */
export async function writeBundles({ root, entries, directory, runsAt = root }: Bundles): Promise<ReadonlySet<string>> {
  const modules = new Set<string>();
  for (const entry of entries) {
    const input = join(root, entry);
    await using bundle = await rolldown({
      input,
      platform: "node",
      // Some packages' "main" is UMD, whose require() no bundler can follow (jsonc-parser); their "module" is what is meant for one.
      resolve: { mainFields: ["module", "main"] },
      plugins: [keepLocations(root, runsAt)],
      external: /\.node$/,
    });
    const file = join(directory, entry);
    mkdirSync(dirname(file), { recursive: true });
    const { output } = await bundle.write({ file, format: "esm", codeSplitting: false });
    for (const { moduleIds, code } of output.filter((part) => part.type === "chunk")) {
      refuseUnresolved(entry, code);
      for (const id of moduleIds) modules.add(id);
    }
  }
  return modules;
}

/** A file beside a module is not there beside the bundle: what the bundler could not follow would fail on the node. */
function refuseUnresolved(entry: string, code: string): void {
  const [call] = /\brequire\w*\(["']\.{1,2}\/[^"']+["']\)/.exec(code) ?? [];
  if (call !== undefined) throw new Error(`${entry}: the bundle still has ${call}, which nothing will answer`);
}

/** A module of a bundle looks for files where it would without one. */
function keepLocations(root: string, runsAt: string): Plugin {
  return {
    name: "keep-locations",
    transform: (code, id) => {
      if (!code.includes("import.meta")) return null;
      const place = join(runsAt, relative(root, id));
      return code
        .replaceAll("import.meta.url", JSON.stringify(pathToFileURL(place).href))
        .replaceAll("import.meta.dirname", JSON.stringify(dirname(place)));
    },
  };
}
