import { setTimeout as sleep } from "node:timers/promises";
import { LabError } from "../errors.ts";
import { keptLabs } from "../lab/owner.ts";
import { destroyLab, sweepLabs } from "../lab/sweep.ts";

const PATIENCE_MS = 30_000;

/**
 * Removes labs that were kept, all or those named: asks the process that keeps each, and does it itself where there is none any more. Returns
 * their names. Throws ERR_SUITE_USAGE for a name that no kept lab has, ERR_LAB_LEFTOVER.
 */
export async function down(names: readonly string[]): Promise<string[]> {
  const kept = keptLabs();
  const unknown = names.find((name) => !kept.some(({ prefix }) => prefix === name));
  if (unknown !== undefined) {
    const there = kept.map(({ prefix }) => prefix).join(", ") || "none";
    throw new LabError("ERR_SUITE_USAGE", `no lab ${unknown} is kept; these are: ${there}`);
  }
  const chosen = kept.filter(({ prefix }) => names.length === 0 || names.includes(prefix));
  for (const { pid } of chosen) if (pid !== undefined) process.kill(pid, "SIGTERM");
  for (const { prefix } of chosen) {
    const isThere = () => keptLabs().some((lab) => lab.prefix === prefix && lab.pid !== undefined);
    for (const deadline = performance.now() + PATIENCE_MS; isThere() && performance.now() < deadline; ) await sleep(50);
    if (isThere()) throw new LabError("ERR_LAB_LEFTOVER", `the process that keeps lab ${prefix} does not take it down`);
    // Of a keeper that was killed.
    destroyLab(prefix);
  }
  return [...chosen.map(({ prefix }) => prefix), ...sweepLabs()];
}
