import { readFileSync } from "node:fs";
import { checkPackage, createPackageFromTarballData, type Problem } from "@arethetypeswrong/core";
import { publint } from "publint";
import { formatMessage } from "publint/utils";

/** What is wrong with a packed package, one sentence each; empty when it may be published. */
export async function checkTarball(file: string): Promise<string[]> {
  const bytes = new Uint8Array(readFileSync(file));
  const typed = createPackageFromTarballData(bytes);
  const paths = typed.listFiles().map((path) => path.replace(`/node_modules/${typed.packageName}/`, ""));
  const manifest = JSON.parse(typed.readFile(`/node_modules/${typed.packageName}/package.json`)) as Manifest;
  return [
    ...manifestFaults(manifest),
    ...fileFaults(paths),
    ...(await publintFaults(bytes)),
    ...(await typeFaults(typed)),
  ];
}

export interface Manifest {
  readonly license?: string;
  readonly description?: string;
  readonly scripts?: unknown;
  readonly exports?: unknown;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly publishConfig?: { readonly access?: string; readonly provenance?: boolean };
}

/** What a manifest lacks or has too much of. */
export function manifestFaults(manifest: Manifest): string[] {
  const faults: string[] = [];
  if (manifest.license !== "Apache-2.0") faults.push(`license is ${manifest.license}, not Apache-2.0`);
  if (!manifest.description) faults.push("no description");
  if (manifest.scripts !== undefined) faults.push("has scripts: nothing may run when it is installed");
  if (JSON.stringify(manifest.exports ?? {}).includes('"source"')) faults.push("exports sources that are not in it");
  if (manifest.publishConfig?.access !== "public") faults.push("publishConfig.access is not public");
  if (manifest.publishConfig?.provenance !== true) faults.push("publishConfig.provenance is not true");
  for (const [name, range] of Object.entries(manifest.dependencies ?? {}))
    if (range.startsWith("workspace:")) faults.push(`depends on ${name} of the workspace`);
  return faults;
}

/** All that a package may have in it; the rest has strayed in. */
const WANTED = [
  /^package\.json$/,
  /^(README|CHANGELOG)\.md$/,
  /^LICENSE(\.[\w.-]+)?$/,
  /^dist\/.*\.(js|d\.ts)$/,
  /^objects\/LICENSE\.[\w.-]+$/,
  /^build\/[\w-]+\.(node|bpf\.o)$/,
  /^objects\/[\w-]+\.bpf\.o$/,
  // The addons' sources, for whoever has another processor.
  /^addon\/[\w-]+\.[ch]$/,
  /^Makefile$/,
  /^examples\/[\w.-]+\.(ts|c)$/,
  /^examples\/tsconfig\.json$/,
  // The scaffold's project, as it is to be written.
  /^template\//,
];
const NEEDED = ["package.json", "README.md", "LICENSE"];

export function fileFaults(paths: readonly string[]): string[] {
  // A project that is written out has tests; a package has none.
  const isTest = (path: string) =>
    !path.startsWith("template/") && /(^|[./])tests?[./-]|\.test\.|(^|\/)testing\//.test(path);
  return [
    ...NEEDED.filter((path) => !paths.includes(path)).map((path) => `no ${path}`),
    ...paths
      .filter((path) => isTest(path) || !WANTED.some((one) => one.test(path)))
      .map((path) => `stray file ${path}`),
  ];
}

async function publintFaults(bytes: Uint8Array): Promise<string[]> {
  const { messages, pkg } = await publint({
    pack: { tarball: bytes.buffer as ArrayBuffer },
    level: "warning",
    strict: true,
  });
  return messages.map((message) => `publint: ${formatMessage(message, pkg, { color: false }) ?? message.code}`);
}

/** Only for who imports it as a module: there is no CommonJS in any of them. */
const OUT_OF_PROFILE = new Set<Problem["kind"]>(["CJSResolvesToESM"]);

async function typeFaults(typed: ReturnType<typeof createPackageFromTarballData>): Promise<string[]> {
  const result = await checkPackage(typed);
  if (!result.types) return ["no types"];
  return result.problems
    .filter((problem) => !OUT_OF_PROFILE.has(problem.kind))
    .filter((problem) => !("resolutionKind" in problem) || ["node16-esm", "bundler"].includes(problem.resolutionKind))
    .map((problem) => `types: ${JSON.stringify(problem)}`);
}
