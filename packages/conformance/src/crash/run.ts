import { CrashBed } from "./bed.ts";
import { ConditionRun } from "./condition-run.ts";
import type { Condition } from "./conditions.ts";
import type { Pair } from "./operations.ts";
import { type Choice, PairRun } from "./pair-run.ts";
import type { CrashReport } from "./report.ts";
import type { Variant } from "./variants.ts";

/** Kills the agent of one variant at the points of these operations and lets these things go wrong, and looks what is left after an uninstall. */
export async function crashVariant(
  variant: Variant,
  pairs: readonly Pair[],
  conditions: readonly Condition[],
  choice: Choice,
  report: CrashReport,
): Promise<void> {
  await using bed = await CrashBed.create(variant);
  await bed.install();
  for (const pair of pairs) await new PairRun(bed, pair, choice, report).run();
  const here = conditions.filter(({ backend = variant.backend }) => backend === variant.backend);
  if (here.length > 0) await new ConditionRun(bed, report).run(here);
  await bed.agent.stop();
  const proof = await bed.agent.millrace("uninstall", "--verify");
  if (proof.status !== 0)
    report.leaks(variant.name, [`millrace uninstall --verify ended with ${proof.status}:`, ...lines(proof)]);
  report.leaks(variant.name, await bed.differences(bed.bare));
}

const lines = ({ stdout, stderr }: { stdout: string; stderr: string }): string[] =>
  `${stdout}${stderr}`.split("\n").filter((line) => line !== "");
