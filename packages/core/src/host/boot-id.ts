import { readFileSync } from "node:fs";

/** Of this boot of the machine (random(4)): what the kernel holds does not outlive it. */
export function currentBootId(): string {
  return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
}
