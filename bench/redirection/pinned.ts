import { execFileSync } from "node:child_process";
import { cpus } from "node:os";
import type { Pinning } from "./sample.ts";

/** Of the machine: what this process may use becomes one of them, see {@link stepAside}. */
const LAST = cpus().length - 1;

/** A command that runs another on the first processor, or on any. */
export function pinned(pinning: Pinning, command: readonly string[]): string[] {
  const processors = pinning === "one-cpu" ? "0" : `0-${LAST}`;
  return ["taskset", "-c", processors, ...command];
}

/** Takes this process, and the agents that it starts, to the last processor: on the first one the cells are measured. */
export function stepAside(): void {
  execFileSync("taskset", ["-apc", String(LAST), String(process.pid)], { stdio: "ignore" });
}
