import { existsSync, globSync, readFileSync, statSync } from "node:fs";
import { dirname, join, posix, relative } from "node:path";
import { fileURLToPath } from "node:url";

/** The repository, absolute. */
export const ROOT = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "");
/** Where TypeDoc writes the reference, from the root. */
export const REFERENCE = "site/generated/reference";

/** The pages of the site, as paths from the root. What is not named here is no page. */
export const PAGES = [
  "README.md",
  "CONTRIBUTING.md",
  "docs/**/*.md",
  "packages/*/README.md",
  "{bench,bpf,cni,deploy,examples/*,test/*}/README.md",
  `${REFERENCE}/**/*.md`,
];

export function listPages(): string[] {
  const paths = PAGES.flatMap((pattern) => globSync(pattern, { cwd: ROOT }));
  return paths.filter((path) => !path.includes("node_modules")).sort();
}

/** Where a page is on the site, as a path of a file: READMEs are the indexes of their directories. */
export function placeOf(path: string): string {
  return path.replace(`${REFERENCE}/`, "reference/").replace(/(^|\/)README\.md$/, "$1index.md");
}

/** The address of a page on the site. */
export function addressOf(path: string): string {
  return `/${placeOf(path)}`.replace(/index\.md$/, "").replace(/\.md$/, "");
}

/** The first heading of a page, without marks. */
export function titleOf(path: string): string {
  const heading = /^# (.+)$/m.exec(readFileSync(join(ROOT, path), "utf8"))?.[1] ?? path;
  return heading.replace(/[`*]/g, "").replace(/\[([^\]]*)\]\([^)]*\)/g, "$1");
}

export type Target = { readonly page: string; readonly hash: string } | { readonly file: string };

/** What a relative link in a page leads to: another page, or a file of the repository. Throws where there is neither. */
export function resolveLink(from: string, href: string): Target {
  const [path = "", hash] = href.split("#", 2);
  const target = posix.normalize(posix.join(dirname(from), decodeURI(path))).replace(/\/$/, "");
  const absolute = join(ROOT, target);
  if (relative(ROOT, absolute).startsWith("..") || !existsSync(absolute))
    throw new Error(`${from}: the link to ${href} leads nowhere: there is no ${target}`);
  const readme = posix.join(target, "README.md");
  const page = statSync(absolute).isDirectory() && existsSync(join(ROOT, readme)) ? readme : target;
  return page.endsWith(".md") ? { page, hash: hash === undefined ? "" : `#${hash}` } : { file: target };
}
