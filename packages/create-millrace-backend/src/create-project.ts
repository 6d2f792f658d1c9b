import { cpSync, existsSync, globSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const TEMPLATE = fileURLToPath(new URL("../template", import.meta.url));

export interface Created {
  /** Absolute. */
  readonly directory: string;
  /** Of the backend: the value of `redirectMode` that selects it. */
  readonly name: string;
  /** Version of Millrace's packages that it depends on. */
  readonly version: string;
}

/**
 * Writes a project into a directory that is empty or not there yet. Its backend is named after the directory; a package name's scope and a leading
 * `backend-` or `millrace-backend-` are left off. Throws an Error that says what to do.
 */
export function createProject(path: string, version: string): Created {
  const directory = resolve(path);
  const name = basename(directory).replace(/^(millrace-)?backend-(?=.)/, "");
  if (!/^[a-z0-9][a-z0-9-]*$/.test(name) || name === "auto")
    throw new Error(
      `a backend cannot be called ${JSON.stringify(name)}: lower-case letters, digits and dashes, and not "auto"`,
    );
  if (existsSync(directory) && (!statSync(directory).isDirectory() || readdirSync(directory).length > 0))
    throw new Error(`${directory} is there already, and not empty: name another directory`);
  cpSync(TEMPLATE, directory, { recursive: true });
  // Files of these names mean something inside of a package as well.
  renameSync(join(directory, "gitignore"), join(directory, ".gitignore"));
  renameSync(join(directory, "manifest.json"), join(directory, "package.json"));
  const words: Readonly<Record<string, string>> = {
    __NAME__: name,
    __PACKAGE__: basename(directory),
    __VERSION__: version,
  };
  for (const file of globSync("**/*", { cwd: directory, exclude: ["node_modules"] })) {
    const target = join(directory, file);
    if (!statSync(target).isFile()) continue;
    const text = readFileSync(target, "utf8");
    writeFileSync(
      target,
      text.replace(/__[A-Z]+__/g, (word) => words[word] ?? word),
    );
  }
  return { directory, name, version };
}
