#!/usr/bin/env node
/**
 * What it costs to be led through the node's proxy, by each way of redirecting, beside no proxy at all and beside a proxy that the client dials itself. Writes
 * results, charts and a page, prints one line for each ratio, and judges none of them; it fails where a load went another way than its mode's.
 *
 * Needs root. `node --conditions=source bench/redirection.ts [--plan full|quick|check] [--only direct,ebpf-tcx,…] [--page docs/performance.md]`, or `make bench` and
 * `make bench-quick`.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { charts } from "./redirection/charts.ts";
import { isLoaded, machine } from "./redirection/machine.ts";
import { measure } from "./redirection/measure.ts";
import { chosenModes } from "./redirection/modes.ts";
import { stepAside } from "./redirection/pinned.ts";
import { CHECK, cells, FULL, QUICK } from "./redirection/plan.ts";
import { ratioLine } from "./redirection/ratios.ts";
import { results } from "./redirection/results.ts";
import type { Sample } from "./redirection/sample.ts";
import { tables } from "./redirection/table.ts";
import { write } from "./redirection/write.ts";

const PLANS = { full: FULL, quick: QUICK, check: CHECK } as const;

const { values } = parseArgs({
  options: {
    plan: { type: "string", default: "full" },
    only: { type: "string" },
    page: { type: "string", default: join(import.meta.dirname, "../artefacts/bench/performance.md") },
  },
});
const known = PLANS[values.plan as keyof typeof PLANS];
if (known === undefined) throw new RangeError(`--plan ${values.plan} is none of ${Object.keys(PLANS).join(", ")}`);
const plan = { ...known, modes: values.only === undefined ? known.modes : chosenModes(values.only.split(",")) };

const where = await machine();
console.log(
  `${where.processor}, ${where.processors} processors, Linux ${where.kernel}, ${where.commit}, ${(where.busy * 100).toFixed(0)} % busy`,
);
if (isLoaded(where)) console.log("The machine is busy with other things: ratios of this run mean little.");
stepAside();

const began = performance.now();
const samples: Sample[] = [];
const all = cells(plan);
for (const [index, cell] of all.entries()) {
  const { rig, mode, pinning, path, repetition } = cell;
  console.log(`${index + 1}/${all.length} ${mode.name}, ${rig}, ${pinning}, ${path}, repetition ${repetition}`);
  samples.push(...(await measure(cell)));
}
const found = results(plan, where, (performance.now() - began) / 1e3, samples);
await write(found, charts(found.rows), values.page);
console.log(`\n${tables(found.rows)}\n\n${values.page}, ${(found.seconds / 60).toFixed(1)} minutes\n`);
for (const ratio of found.ratios) console.log(ratioLine(ratio));
