import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { tryLockDirectory, tryLockFile } from "./index.ts";

describe("tryLockFile", () => {
  let folder: string;

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "linux-ts-"));
  });

  afterAll(() => rmSync(folder, { recursive: true }));

  /** flock(1) in another process: whether it gets the lock. */
  function othersCanLock(path: string): boolean {
    try {
      execFileSync("flock", ["--nonblock", path, "true"]);
      return true;
    } catch {
      return false;
    }
  }

  it("keeps others out, in this process and elsewhere, until it is disposed", () => {
    const path = join(folder, "once");
    const lock = tryLockFile(path);
    expect(lock).toBeDefined();
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(tryLockFile(path)).toBeUndefined();
    expect(othersCanLock(path)).toBe(false);

    lock?.[Symbol.dispose]();
    lock?.[Symbol.dispose]();
    expect(othersCanLock(path)).toBe(true);
    using again = tryLockFile(path);
    expect(again).toBeDefined();
  });

  it("leaves no descriptor behind when the lock is taken", () => {
    const path = join(folder, "taken");
    using _lock = tryLockFile(path);
    const before = readdirSync("/proc/self/fd").length;
    for (let i = 0; i < 20; i++) expect(tryLockFile(path)).toBeUndefined();
    expect(readdirSync("/proc/self/fd")).toHaveLength(before);
  });

  it("says why a file cannot be opened", () => {
    const missing = expect.objectContaining({ name: "LinuxError", code: "ENOENT", syscall: "open" });
    expect(() => tryLockFile(join(folder, "absent", "lock"))).toThrow(missing);
  });
});

describe("tryLockDirectory", () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "linux-ts-"));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it("keeps others out until it is disposed, and leaves nothing in it", () => {
    const lock = tryLockDirectory(folder);
    expect(lock).toBeDefined();
    expect(tryLockDirectory(folder)).toBeUndefined();
    lock?.[Symbol.dispose]();
    using _again = tryLockDirectory(folder);
    expect(_again).toBeDefined();
    expect(readdirSync(folder)).toEqual([]);
  });

  it("says what is none", () => {
    const file = join(folder, "file");
    tryLockFile(file)?.[Symbol.dispose]();
    expect(() => tryLockDirectory(file)).toThrow(expect.objectContaining({ code: "ENOTDIR", syscall: "open" }));
    expect(() => tryLockDirectory(join(folder, "absent"))).toThrow(expect.objectContaining({ code: "ENOENT" }));
  });
});
