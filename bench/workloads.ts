#!/usr/bin/env node
/**
 * How long each backend takes for many workloads: to enrol one, to enrol them all again, to build everything from nothing. Prints
 * figures beside the targets and judges none of them; it fails only where asking again has changed something in the kernel.
 *
 * Needs root. `node --conditions=source bench/workloads.ts [--count 300] [--only ebpf-tcx,…]`, or `make bench-workloads`.
 */
import { availableParallelism, loadavg, release } from "node:os";
import { parseArgs } from "node:util";
import { chosenVariants, wholeNumber } from "./arguments.ts";
import { onSignal } from "./signals.ts";
import { APPLY_TARGET } from "./variants.ts";
import { type Measurement, measure } from "./workloads/measure.ts";
import { BenchNode } from "./workloads/node.ts";

const { values } = parseArgs({
  options: { count: { type: "string", default: "300" }, only: { type: "string" } },
});
const count = wholeNumber("count", values.count);
const variants = chosenVariants(values.only);

const [load = 0] = loadavg();
console.log(
  `${count} workloads, Linux ${release()}, ${availableParallelism()} cores, load ${load.toFixed(1)}, ${new Date().toISOString()}`,
);
console.log(`Milliseconds. Targets for 300: apply p99 below ${APPLY_TARGET}; rebuild as given behind it.\n`);
const row = (...cells: readonly (string | number)[]) =>
  console.log(cells.map((cell, index) => (index === 0 ? `${cell}`.padEnd(17) : `${cell}`.padStart(11))).join(""));
row("", "install", "apply p50", "p99", "max", "all again", "changed", "uninstall", "rebuild", "target");

let hasChanged = false;
for (const variant of variants) {
  using node = new BenchNode(count);
  using _ = onSignal(() => node[Symbol.dispose]());
  const result = await measure(node, variant);
  print(result);
  hasChanged ||= result.changedAgain > 0;
}
if (hasChanged) {
  console.error("\nAsking again has changed something in the kernel: see the column `changed` (lines of its state).");
  process.exitCode = 1;
}

function print({ variant, install, apply, again, changedAgain, uninstall, rebuild }: Measurement): void {
  const ms = (value: number) => value.toFixed(value < 100 ? 1 : 0);
  const { p50, p99, max } = apply;
  row(
    variant.name,
    ms(install),
    ms(p50),
    ms(p99),
    ms(max),
    ms(again),
    changedAgain,
    ms(uninstall),
    ms(rebuild),
    variant.rebuildTarget,
  );
}
