import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const OF_THE_WORKSPACE = /^(node_modules|dist|tsconfig\.json|.*\.tsbuildinfo)$/;

/** An example of the workspace as somebody's own project: its sources as they are, with the scaffold's compiler options and packages from a registry. */
export function takeOutside(example: string, directory: string): void {
  cpSync(join(root, example), directory, { recursive: true, filter: (from) => !OF_THE_WORKSPACE.test(basename(from)) });
  const template = join(root, "packages/create-millrace-backend/template");
  cpSync(join(template, "tsconfig.json"), join(directory, "tsconfig.json"));
  const manifest = JSON.parse(readFileSync(join(directory, "package.json"), "utf8"));
  const { dependencies } = manifest as { readonly dependencies: Readonly<Record<string, string>> };
  const published = Object.entries(dependencies).map(([name, range]) => [name, range.replace(/^workspace:/, "")]);
  writeFileSync(
    join(directory, "package.json"),
    JSON.stringify({ ...manifest, dependencies: Object.fromEntries(published) }),
  );
}
