import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createProject } from "create-millrace-backend";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Reader } from "./reader.ts";
import { blocksOf, edit } from "./tutorial.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "millrace-tutorial-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

function follow(page: string): void {
  using reader = new Reader(directory, process.env);
  for (const block of blocksOf(page)) reader.follow(block);
}
const fence = (info: string, text: string) => `\`\`\`${info}\n${text}\n\`\`\`\n`;

test("what a page says is done, from where the block before has ended", () => {
  follow(
    [
      fence("sh", "mkdir inner\ncd inner"),
      fence('ts title="src/deep/one.ts"', "export const one = 1;\nexport const two = 2;"),
      fence(
        'diff title="src/deep/one.ts"',
        "-export const one = 1;\n+export const one = 11;\n@@\n export const two = 2;\n+// more",
      ),
      fence("sh fails", "cat src/deep/one.ts; false"),
      fence("text", "export … = 11;\n// more"),
    ].join("\nWords.\n"),
  );
  expect(readFileSync(join(directory, "inner/src/deep/one.ts"), "utf8")).toContain(
    "11;\nexport const two = 2;\n// more\n",
  );
});

test.each([
  ["a command that fails", fence("sh", "false"), /line 1: this ended with 1/],
  ["one that fails among others", fence("sh", "false\ntrue"), /ended with 1/],
  ["a command that is to fail and does not", fence("sh fails", "true"), /ended with 0/],
  ["an output that does not come", fence("sh", "echo one") + fence("text", "two"), /did not print 'two'/],
  ["an output in another order", fence("sh", "echo one; echo two") + fence("text", "two\none"), /did not print 'one'/],
  ["a change of what is not there", fence("sh", "echo a > f") + fence('diff title="f"', "-b\n+c"), /0 times, not once/],
  [
    "a change of what is there twice",
    fence("sh", "echo a > f; echo a >> f") + fence('diff title="f"', "-a\n+c"),
    /2 times/,
  ],
  ["a block that nobody can try", fence("yaml", "a: 1"), /line 1: nobody can try/],
])("%s is told", (_, page, message) => {
  expect(() => follow(page)).toThrow(message);
});

test("the tutorial's changes are of what the scaffold writes", () => {
  const page = readFileSync(new URL("../../../docs/writing-a-backend.md", import.meta.url), "utf8");
  const project = createProject(join(directory, "backend-otters"), "1.0.0");
  const edits = blocksOf(page).filter((block) => block.kind !== "type");
  for (const block of edits) edit(block, join(project.directory, block.path));
  expect(edits.map(({ kind }) => kind)).toContain("change");
});
