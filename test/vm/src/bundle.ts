import { rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { writeBundles as writeBundlesOf } from "@millrace/deploy";

/** The checkout. */
export const ROOT = fileURLToPath(new URL("../../../", import.meta.url));

/** Every program that tests start, as `tsc -b` left it. */
const ENTRIES = [
  "packages/agent/dist/main.js",
  "packages/core/dist/log/writer-thread.js",
  "packages/core/dist/plugins/process/child.js",
  "packages/conformance/dist/cli.js",
  "packages/conformance/dist/programs/bin/endpoint.js",
  "test/vm/dist/selection/main.js",
];

/**
 * Writes the programs in few files, below `directory` at the paths that they have in the checkout: laid over the checkout in a guest they
 * take its place. An emulated guest needs some 15 ms per module to find and read it, and the agent has 500; what a run of it does not
 * need is in files that are not read.
 */
export async function writeBundles(directory: string): Promise<void> {
  rmSync(directory, { recursive: true, force: true });
  await writeBundlesOf({ root: ROOT, entries: ENTRIES, directory });
}
