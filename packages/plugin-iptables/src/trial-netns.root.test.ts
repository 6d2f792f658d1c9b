import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readlinkSync } from "node:fs";
import { currentNetns } from "linux-ts";
import { expect, test } from "vitest";
import { run } from "./commands/run.ts";
import { openTrialNetns } from "./trial-netns.ts";

test("is another namespace, lives as long as its descriptor, and leaves no process", async () => {
  using own = currentNetns();
  let inode: number;
  {
    using trial = await openTrialNetns();
    inode = trial.inode;
    expect(inode).not.toBe(own.inode);
    await run("ip", ["link", "set", "lo", "up"], { netns: trial.fd });
  }
  const children = execFileSync("ps", ["--ppid", `${process.pid}`, "-o", "args="], { encoding: "utf8" });
  expect(children).not.toContain("read wait");
  const held = readdirSync("/proc/self/fd").filter((fd) => existsSync(`/proc/self/fd/${fd}`));
  expect(held.map((fd) => readlinkSync(`/proc/self/fd/${fd}`))).not.toContain(`net:[${inode}]`);
});

test("many at once are as many", async () => {
  const trials = await Promise.all(Array.from({ length: 8 }, () => openTrialNetns()));
  expect(new Set(trials.map(({ inode }) => inode)).size).toBe(8);
  for (const trial of trials) trial[Symbol.dispose]();
});
