#!/usr/bin/env node
/**
 * What it costs to compare a node with its kernel: CPU time of one reading with many workloads, that of the programs it runs included, and how much of a core that
 * is at the default interval. With `--judge` it fails where that is more than what comparing may cost.
 *
 * Needs root. `node --conditions=source bench/observe.ts [--count 250] [--only ebpf-tcx,…] [--judge]`, or `make bench-observe`.
 */
import { availableParallelism, loadavg, release } from "node:os";
import { parseArgs } from "node:util";
import { configurationSchema } from "@millrace/core/internal";
import { chosenVariants, wholeNumber } from "./arguments.ts";
import { measureReading } from "./workloads/measure.ts";
import { BenchNode } from "./workloads/node.ts";

/** Of one core, with 250 workloads. */
const LIMIT_PERCENT = 0.5;

const { values } = parseArgs({
  options: {
    count: { type: "string", default: "250" },
    only: { type: "string" },
    judge: { type: "boolean", default: false },
  },
});
const count = wholeNumber("count", values.count);
const variants = chosenVariants(values.only);
const { intervalSeconds } = configurationSchema.parse({}).resync;

const [load = 0] = loadavg();
console.log(
  `${count} workloads, Linux ${release()}, ${availableParallelism()} cores, load ${load.toFixed(1)}, ${new Date().toISOString()}`,
);
console.log(`CPU time of a reading, and of a core at one every ${intervalSeconds} s. Limit: ${LIMIT_PERCENT} %.\n`);
for (const variant of variants) {
  using node = new BenchNode(count);
  const reading = await measureReading(node, variant);
  const percent = reading / 10 / intervalSeconds;
  console.log(`${variant.name.padEnd(17)}${reading.toFixed(1).padStart(9)} ms${percent.toFixed(2).padStart(9)} %`);
  if (values.judge && percent > LIMIT_PERCENT) process.exitCode = 1;
}
