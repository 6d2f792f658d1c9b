import { globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** A package that is meant for a registry. */
export interface PublicPackage {
  readonly name: string;
  readonly version: string;
  /** Absolute. */
  readonly directory: string;
}

/** Those of the checkout at `root` that are not private, by name. */
export function publicPackages(root: string): PublicPackage[] {
  return globSync("packages/*/package.json", { cwd: root })
    .map((path) => ({ directory: dirname(join(root, path)), ...readManifest(join(root, path)) }))
    .filter((manifest) => manifest.private !== true)
    .map(({ name, version, directory }) => ({ name, version, directory }))
    .sort((a, b) => a.name.localeCompare(b.name, "en"));
}

function readManifest(path: string): { name: string; version: string; private?: boolean } {
  return JSON.parse(readFileSync(path, "utf8"));
}
