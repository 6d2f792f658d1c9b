import { relative } from "node:path";

/** How this command is called: by npx where it is installed, else by its path. */
export function invocation(): string {
  if (import.meta.dirname.includes("/node_modules/")) return "npx @millrace/conformance";
  const program = import.meta.filename.replace(/cli\/invocation\.(ts|js)$/, "cli.$1");
  return ["node", ...process.execArgv, relative(process.cwd(), program)].join(" ");
}

/** A word of a command line as a shell takes it. */
export const quoted = (word: string): string =>
  /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
