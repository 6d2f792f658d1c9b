import { readFileSync } from "node:fs";
import { join } from "node:path";

/** The checkout, of the sources and of what is built out of them. */
export const ROOT = join(import.meta.dirname, "../..");

/** Packages whose exports are promised to others. */
const PACKAGES = ["core", "conformance", "libbpf-ts"];
/** Entries for ourselves: they promise nothing. */
const OURS = ["./internal", "./testing"];

/** One way into a public package. */
export interface Entry {
  /** As it is imported: `@millrace/core`. */
  readonly specifier: string;
  readonly packageDirectory: string;
  /** Its declarations, as `tsc -b` writes them. */
  readonly types: string;
  /** Its report, below {@link ROOT}. */
  readonly report: string;
}

interface Manifest {
  readonly name: string;
  readonly exports: Readonly<Record<string, { readonly types: string }>>;
}

/** What the packages' `exports` name. */
export const entries: readonly Entry[] = PACKAGES.flatMap((directory) => {
  const packageDirectory = join(ROOT, "packages", directory);
  const { name, exports } = JSON.parse(readFileSync(join(packageDirectory, "package.json"), "utf8")) as Manifest;
  return Object.entries(exports)
    .filter(([path]) => !OURS.includes(path))
    .map(([path, { types }]) => ({
      specifier: join(name, path),
      packageDirectory,
      types: join(packageDirectory, types),
      report: join("api/reports", `${join(directory, path).replaceAll("/", "-")}.api.md`),
    }));
});
