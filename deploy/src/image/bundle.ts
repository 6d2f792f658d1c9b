import { dirname, join, relative } from "node:path";
import { pathToFileURL } from "node:url";
import { type Plugin, rolldown } from "rolldown";
import { leanModules } from "./lean-modules.ts";

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

/**
 * Writes each program with its modules in one file, and what it imports only when it needs it, and what several programs share, in files
 * below `chunks`: most runs of the command never need the Kubernetes client, which is larger than all the rest. Resolves to the modules'
 * files.
 */
export async function writeBundles({ root, entries, directory, runsAt = root }: Bundles): Promise<ReadonlySet<string>> {
  await using bundle = await rolldown({
    input: Object.fromEntries(entries.map((entry) => [entry.replace(/\.js$/, ""), join(root, entry)])),
    platform: "node",
    // Some packages' "main" is UMD, whose require() no bundler can follow (jsonc-parser); their "module" is what is meant for one.
    resolve: { mainFields: ["module", "main"] },
    plugins: [leanModules(), keepLocations(root, runsAt)],
    // The client has all of Kubernetes' API, each type of which registers itself; the agent takes from it the reading of a kubeconfig.
    treeshake: { moduleSideEffects: (id) => !id.includes("/@kubernetes/client-node/dist/") },
    external: /\.node$/,
  });
  const { output } = await bundle.write({
    dir: directory,
    format: "esm",
    entryFileNames: "[name].js",
    chunkFileNames: "chunks/[name]-[hash].js",
  });
  const chunks = output.filter((part) => part.type === "chunk");
  for (const { fileName, code } of chunks) refuseUnresolved(fileName, code);
  return new Set(chunks.flatMap(({ moduleIds }) => moduleIds));
}

/** A file beside a module is not there beside the bundle: what the bundler could not follow would fail on the node. */
function refuseUnresolved(file: string, code: string): void {
  const [call] = /\brequire\w*\(["']\.{1,2}\/[^"']+["']\)/.exec(code) ?? [];
  if (call !== undefined) throw new Error(`${file}: the bundle still has ${call}, which nothing will answer`);
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
