import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

/** What the reader of a tutorial does at a fenced block, and what they see. */
export type Block = { readonly line: number } & (
  | { readonly kind: "type"; readonly commands: string; readonly fails: boolean; readonly prints: readonly string[] }
  | { readonly kind: "write"; readonly path: string; readonly text: string }
  | { readonly kind: "change"; readonly path: string; readonly hunks: readonly Hunk[] }
);

/** Lines that are there once, and what stands in their place then. */
interface Hunk {
  readonly before: string;
  readonly after: string;
}

const FENCE = /^```(\S*) ?([^\n]*)\n(.*?)^```$/gms;

/**
 * The blocks of a page, in order. `sh` is typed, `sh fails` is typed and ends with another exit status than 0; `text` is what the `sh` before it prints, line by
 * line and among others, `…` for anything; a block with a `title="file"` is written to that file, and a `diff` with one changes it.
 * Throws for any other block: nothing stands on a page that nobody tries.
 */
export function blocksOf(page: string): Block[] {
  const blocks: Block[] = [];
  for (const { 1: language = "", 2: rest = "", 3: text = "", index } of page.matchAll(FENCE)) {
    const line = page.slice(0, index).split("\n").length;
    const path = /^title="(.+)"$/.exec(rest)?.[1];
    const last = blocks.at(-1);
    if (language === "sh" && /^(fails)?$/.test(rest))
      blocks.push({ line, kind: "type", commands: text, fails: rest === "fails", prints: [] });
    else if (language === "text" && rest === "" && last?.kind === "type" && last.prints.length === 0)
      blocks.splice(-1, 1, { ...last, prints: text.trimEnd().split("\n") });
    else if (language === "diff" && path !== undefined)
      blocks.push({ line, kind: "change", path, hunks: hunksOf(text) });
    else if (path !== undefined) blocks.push({ line, kind: "write", path, text });
    else throw new Error(`line ${line}: nobody can try a block '${language} ${rest}'`);
  }
  return blocks;
}

/** Lines with `-`, `+` or a space ahead; `@@` between changes of several places. */
function hunksOf(text: string): Hunk[] {
  const side = (lines: readonly string[], without: string) =>
    lines
      .filter((line) => !line.startsWith(without))
      .map((line) => `${line.slice(1)}\n`)
      .join("");
  return text
    .split(/^@@.*\n/m)
    .filter((hunk) => hunk !== "")
    .map((hunk) => {
      const lines = hunk.trimEnd().split("\n");
      return { before: side(lines, "+"), after: side(lines, "-") };
    });
}

/** Writes or changes a file as a block says. Throws where what is to be changed is not there, or more than once. */
export function edit(block: Extract<Block, { readonly path: string }>, path: string): void {
  if (block.kind === "write") {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, block.text);
    return;
  }
  const text = block.hunks.reduce(
    (text, { before, after }) => {
      const found = text.split(before).length - 1;
      if (found !== 1)
        throw new Error(`line ${block.line}: ${block.path} has these lines ${found} times, not once:\n${before}`);
      return text.replace(before, () => after);
    },
    readFileSync(path, "utf8"),
  );
  writeFileSync(path, text);
}

/** The first of these lines that was not printed, in this order. */
export function unseen(prints: readonly string[], printed: string): string | undefined {
  const lines = printed.split("\n");
  let at = 0;
  return prints.find((wanted) => {
    const parts = wanted.trim().split("…");
    const pattern = new RegExp(`^${parts.map((part) => part.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&")).join(".*")}$`);
    const found = lines.findIndex((line, index) => index >= at && pattern.test(line.trim()));
    if (found >= 0) at = found + 1;
    return found < 0;
  });
}
