import { mkdirSync, rmSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { type Plugin, rolldown } from "rolldown";

/** The checkout. */
export const ROOT = fileURLToPath(new URL("../../../", import.meta.url));

/** Every program that tests start, as `tsc -b` left it. */
const ENTRIES = [
  "packages/agent/dist/main.js",
  "packages/core/dist/log/writer-thread.js",
  "packages/conformance/dist/cli.js",
  "packages/conformance/dist/programs/bin/endpoint.js",
  "test/vm/dist/selection/main.js",
].map((path) => join(ROOT, path));

/** A module of a bundle looks for files where it would without one. */
const keepLocations: Plugin = {
  name: "keep-locations",
  transform: (code, id) =>
    code.includes("import.meta")
      ? code
          .replaceAll("import.meta.url", JSON.stringify(pathToFileURL(id).href))
          .replaceAll("import.meta.dirname", JSON.stringify(dirname(id)))
      : null,
};

/**
 * Writes each program with all its modules in one file, below `directory` at the path it has in the checkout: laid over the
 * checkout in a guest they take its place. An emulated guest needs some 15 ms per module to find and read it, and the agent
 * has 500; in one file it starts in a quarter of the time.
 */
export async function writeBundles(directory: string): Promise<void> {
  rmSync(directory, { recursive: true, force: true });
  for (const input of ENTRIES) {
    await using bundle = await rolldown({ input, platform: "node", plugins: [keepLocations], external: /\.node$/ });
    const file = join(directory, relative(ROOT, input));
    mkdirSync(dirname(file), { recursive: true });
    await bundle.write({ file, format: "esm", codeSplitting: false });
  }
}
