import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import * as library from "./index.ts";

const read = (path: string) => readFileSync(new URL(`../${path}`, import.meta.url), "utf8");
const readme = read("README.md");

/** Without the lines that the text around it says: licence and purpose. */
function shown(example: string): string {
  return read(`examples/${example}`)
    .replace(/^(\/\/[^\n]*\n|\/\*[^\n]*\n|\n)+/, "")
    .trim();
}

test.for(["count-packets.bpf.c", "count-packets.ts", "read-events.ts"])("shows examples/%s as it is", (example) => {
  expect(readme).toContain(shown(example));
});

test("names every function and class that the library exports", () => {
  const exported = Object.keys(library).map((name) => name.replace(/Async$/, ""));
  expect(exported.filter((name) => !readme.includes(name))).toEqual([]);
});
