import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { linesOf } from "./lines.ts";

const directory = mkdtempSync(join(tmpdir(), "millrace-lines-"));
const path = join(directory, "file");
afterAll(() => rmSync(directory, { recursive: true }));

test.each([
  ["", []],
  ["a", ["a"]],
  ["a\n", ["a"]],
  ["a\n\nb", ["a", "", "b"]],
  ["\n", [""]],
])("%j", (text, lines) => {
  writeFileSync(path, text);
  expect([...linesOf(path)]).toEqual(lines);
});

test("lines longer than what is read at once, with characters of several bytes wherever they fall", () => {
  const lines = [1, 1_000_003, 7, 2_500_001, 0, 3].map((length, index) => `${index}${"ä€😀".repeat(length / 9 + 1)}`);
  writeFileSync(path, lines.join("\n"));
  expect([...linesOf(path)]).toEqual(lines);
});
