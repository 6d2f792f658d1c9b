import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";
import { cpuTimeMs, cpuTimesOf } from "./cpu-time.ts";

test("reads the times behind a name with anything in it", () => {
  const stat = "7 (a) b) S 1 2 3 4 5 6 7 8 9 10 900 901 12 34 20 0";
  expect(cpuTimesOf(stat)).toEqual({ own: 18_010, children: 460 });
});

test("counts what a process and its children have used", () => {
  const before = cpuTimeMs();
  for (const begin = process.cpuUsage(); process.cpuUsage(begin).user < 20_000; );
  const own = cpuTimeMs();
  expect(own - before).toBeGreaterThanOrEqual(20);
  execFileSync("sh", ["-c", "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done"]);
  expect(cpuTimeMs() - own).toBeGreaterThanOrEqual(20);
  // By whole ticks, and with those of other threads.
  expect(cpuTimeMs(process.pid)).toBeGreaterThanOrEqual(own - 40);
});

test("says that a process is gone", () => {
  expect(() => cpuTimeMs(2 ** 22 + 1)).toThrow(expect.objectContaining({ code: "ENOENT" }));
});
