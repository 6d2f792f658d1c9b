import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { renameExchange } from "./index.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "linux-ts-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

it("swaps two files, inodes and all", () => {
  const [a, b] = [join(folder, "a"), join(folder, "b")];
  writeFileSync(a, "first");
  writeFileSync(b, "second");
  const before = [statSync(a).ino, statSync(b).ino];
  renameExchange(a, b);
  expect([readFileSync(a, "utf8"), readFileSync(b, "utf8")]).toEqual(["second", "first"]);
  expect([statSync(b).ino, statSync(a).ino]).toEqual(before);
});

it("changes nothing and says why when one is not there", () => {
  const a = join(folder, "a");
  writeFileSync(a, "first");
  const missing = expect.objectContaining({ code: "ENOENT", syscall: "renameat2 RENAME_EXCHANGE" });
  expect(() => renameExchange(a, join(folder, "b"))).toThrow(missing);
  expect(readFileSync(a, "utf8")).toBe("first");
});
