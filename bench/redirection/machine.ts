import { execFileSync } from "node:child_process";
import { availableParallelism, cpus, release, totalmem } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";

/** Where and of what was measured. */
export interface Machine {
  readonly processor: string;
  readonly processors: number;
  readonly memoryGib: number;
  readonly kernel: string;
  /** The part of all processors' time that was used before the first cell, from 0 to 1. The load average would still count what has built this. */
  readonly busy: number;
  /** Of this repository; with `+` where files differed from it. */
  readonly commit: string;
  /** ISO 8601, UTC. */
  readonly began: string;
}

export async function machine(): Promise<Machine> {
  const git = (...args: string[]) => execFileSync("git", args, { encoding: "utf8", cwd: import.meta.dirname }).trim();
  const isChanged = git("status", "--porcelain") !== "";
  return {
    processor: cpus()[0]?.model ?? "unknown",
    processors: availableParallelism(),
    memoryGib: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    busy: await busy(),
    commit: `${git("rev-parse", "--short=10", "HEAD")}${isChanged ? "+" : ""}`,
    began: new Date().toISOString(),
  };
}

/** Whether something else was running: what is measured then is also that. */
export const isLoaded = ({ busy }: Machine): boolean => busy > 0.1;

const LOOK_MS = 2_000;

async function busy(): Promise<number> {
  const before = processorTime();
  await sleep(LOOK_MS);
  const after = processorTime();
  const all = after.all - before.all;
  return all === 0 ? 0 : 1 - (after.idle - before.idle) / all;
}

function processorTime(): { readonly idle: number; readonly all: number } {
  const times = cpus().map(({ times }) => times);
  const sum = (values: readonly number[]) => values.reduce((all, value) => all + value, 0);
  return { idle: sum(times.map(({ idle }) => idle)), all: sum(times.flatMap((time) => Object.values(time))) };
}
