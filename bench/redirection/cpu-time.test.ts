import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";
import { cpuTime, readTimed, timedCommand } from "./cpu-time.ts";

test("of this process", () => {
  expect(cpuTime(process.pid)).toBeGreaterThan(0);
  expect(() => cpuTime(2 ** 30)).toThrow(/ENOENT/);
});

test("of a command", () => {
  const [file = "", ...rest] = timedCommand(["sh", "-c", "echo counted; exec 2>&1"]);
  const told = execFileSync("sh", ["-c", '"$@" 2>&1', "sh", file, ...rest], { encoding: "utf8" });
  expect(told).toMatch(/^counted\ncpu [\d.]+ [\d.]+\n$/);
  expect(readTimed("some warning\ncpu 0.250 1.500\n")).toBe(1.75);
  expect(() => readTimed("killed")).toThrow("killed");
});
