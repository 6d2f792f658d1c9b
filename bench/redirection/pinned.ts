import { execFileSync } from "node:child_process";
import { availableParallelism } from "node:os";
import type { Pinning } from "./sample.ts";

/** A command that runs another on the first processor, or on any. */
export function pinned(pinning: Pinning, command: readonly string[]): string[] {
  const processors = pinning === "one-cpu" ? "0" : `0-${availableParallelism() - 1}`;
  return ["taskset", "-c", processors, ...command];
}

/** Takes this process, and the agents that it starts, to the last processor: on the first one the cells are measured. */
export function stepAside(): void {
  execFileSync("taskset", ["-apc", String(availableParallelism() - 1), String(process.pid)], { stdio: "ignore" });
}
