import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { nginxCommand, nginxConfig } from "./nginx.ts";

test("it serves a file of each size, and nothing of the machine's is used", () => {
  const directory = mkdtempSync(join(tmpdir(), "millrace-bench-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const command = nginxCommand(directory, 8080, [1, 128]);
  expect(command.slice(1)).toEqual(["-p", directory, "-e", "stderr", "-c", join(directory, "nginx.conf")]);
  for (const size of [1, 128]) expect(readFileSync(join(directory, "files", `${size}`))).toHaveLength(size);
  expect(readFileSync(command.at(-1) ?? "", "utf8")).toBe(nginxConfig(directory, 8080));
});

test("one process, every path in its directory", () => {
  const config = nginxConfig("/tmp/some", 8080);
  expect(config).toContain("daemon off;\nmaster_process off;");
  expect(config).toContain("listen 8080 ");
  for (const [, path] of config.matchAll(/ (\/[^ ;]*);/g)) expect(path).toMatch(/^\/tmp\/some\//);
});
