import { globSync } from "node:fs";
import { join } from "node:path";
import { type PublicPackage, publicPackages } from "./public-packages.ts";
import { run } from "./run.ts";

/** A package with the version it will have, and its tarball. */
export interface Staged extends PublicPackage {
  readonly tarball: string;
}

/** Changesets that have not become versions yet. */
export function pendingChangesets(root: string): string[] {
  return globSync(".changeset/*.md", { cwd: root }).filter((path) => !path.endsWith("README.md"));
}

/**
 * Clones what is committed at `root` into `directory`, makes versions of its changesets, builds it, and packs every public package into
 * `directory/tarballs`. The checkout itself is left as it is.
 */
export function stage(root: string, directory: string): Staged[] {
  const clone = join(directory, "checkout");
  const tarballs = join(directory, "tarballs");
  run(root, "git", "clone", "--quiet", "--shared", root, clone);
  run(clone, "scripts/setup-node.sh");
  if (pendingChangesets(clone).length > 0) run(clone, join(clone, "node_modules/.bin/changeset"), "version");
  run(clone, "make", "-s", "build");
  return publicPackages(clone).map((one) => {
    // The last line tells the file; a prepack script may print before it.
    const printed = run(one.directory, "pnpm", "pack", "--pack-destination", tarballs).trim().split("\n");
    return { ...one, tarball: printed.at(-1) ?? "" };
  });
}
