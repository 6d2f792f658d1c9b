import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createProject } from "./create-project.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "create-millrace-backend-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

test("a project is written, with its name in it and nothing left to fill in", () => {
  const created = createProject(join(directory, "millrace-backend-otters"), "1.2.3");
  expect(created).toMatchObject({ name: "otters", version: "1.2.3" });
  const files = readdirSync(created.directory, { recursive: true, withFileTypes: true }).filter((one) => one.isFile());
  expect(files.map(({ name }) => name).sort()).toEqual(
    expect.arrayContaining([".gitignore", "index.ts", "package.json"]),
  );
  const text = files.map(({ parentPath, name }) => readFileSync(join(parentPath, name), "utf8")).join("\n");
  expect(text).not.toMatch(/__[A-Z]+__/);
  const manifest = JSON.parse(readFileSync(join(created.directory, "package.json"), "utf8"));
  expect(manifest).toMatchObject({ name: "millrace-backend-otters", dependencies: { "@millrace/core": "^1.2.3" } });
});

test.each(["Otters", "auto", "backend-auto", "ot ters"])("the name %s is refused, and nothing written", (name) => {
  expect(() => createProject(join(directory, name), "1.0.0")).toThrow(/cannot be called/);
  expect(readdirSync(directory)).toEqual([]);
});

test("what is there is not overwritten", () => {
  writeFileSync(join(directory, "mine.txt"), "mine");
  const named = join(directory, "..", directory.split("/").at(-1)?.toLowerCase() ?? "");
  expect(() => createProject(named === directory ? named : directory, "1.0.0")).toThrow(/cannot be called|not empty/);
  expect(readdirSync(directory)).toEqual(["mine.txt"]);
});
