#!/usr/bin/env node
/**
 * What the agent itself costs: enrolling and rebuilding with more and more workloads, how many events it decides and writes, what its BPF programs take for a packet, and what it takes of memory, processor
 * and disk when it is left alone in a cluster. Writes results, charts and a section of the page, and judges nothing; it fails where asking again has changed something
 * in the kernel.
 *
 * Needs root. `node bench/dist/agent.js [--plan full|check] [--counts 50,110] [--only ebpf-tcx,…] [--idle-minutes 10] [--page …]`,
 * or `make bench-agent`.
 */
import { parseArgs } from "node:util";
import { growthCharts } from "./agent/charts.ts";
import { type Growth, measureGrowth } from "./agent/growth.ts";
import { agentLines } from "./agent/lines.ts";
import { CHECK, FULL } from "./agent/plan.ts";
import { measurePrograms } from "./agent/programs.ts";
import { measureRunning, type Running } from "./agent/running.ts";
import { measureThroughput } from "./agent/throughput.ts";
import { write } from "./agent/write.ts";
import { chosenVariants, wholeNumber } from "./arguments.ts";
import { isLoaded, machine } from "./redirection/machine.ts";

const PLANS = { full: FULL, check: CHECK } as const;

const { values } = parseArgs({
  options: {
    plan: { type: "string", default: "full" },
    counts: { type: "string" },
    only: { type: "string" },
    "idle-minutes": { type: "string" },
    page: { type: "string", default: "artefacts/bench/performance.md" },
  },
});
const known = PLANS[values.plan as keyof typeof PLANS];
if (known === undefined) throw new RangeError(`--plan ${values.plan} is none of ${Object.keys(PLANS).join(", ")}`);
const counts = values.counts?.split(",").map((count) => wholeNumber("counts", count)) ?? known.counts;
const variants = values.only === undefined ? known.variants : chosenVariants(values.only);
const minutes = values["idle-minutes"];
const idle = minutes === undefined ? {} : { idleSeconds: 60 * wholeNumber("idle-minutes", minutes) };

const where = await machine();
console.log(
  `${where.processor}, ${where.processors} processors, Linux ${where.kernel}, ${where.commit}, ${(where.busy * 100).toFixed(0)} % busy`,
);
if (isLoaded(where)) console.log("The machine is busy with other things: figures of this run mean little.");

const began = performance.now();
const say = (text: string) => console.log(`${((performance.now() - began) / 1e3).toFixed(0).padStart(5)} s  ${text}`);

say(`${known.pods} pods through the engine and its log`);
const throughput = await measureThroughput(known.pods);
say("the BPF programs");
const programs = await measurePrograms(known.programRuns);
const running: Running[] = [];
const plan = { ...known.running, ...idle };
for (const variant of plan.variants.filter(({ name }) => variants.some((one) => one.name === name))) {
  say(`${variant.name}: an agent with ${plan.count} workloads, left alone for ${plan.idleSeconds} s`);
  running.push(await measureRunning(variant, plan));
}
const growth: Growth[] = [];
for (const count of counts) {
  say(`${count} workloads: making them`);
  const tell = ({ variant, enrol, rebuild }: Growth) =>
    say(`${count} workloads, ${variant}: p99 ${enrol.p99.toFixed(1)} ms, all ${(rebuild / 1e3).toFixed(2)} s`);
  growth.push(...(await measureGrowth(count, variants, tell)));
}

const seconds = (performance.now() - began) / 1e3;
const found = { plan: known.name, machine: where, seconds, growth, running, throughput, programs };
await write(found, growthCharts(growth), values.page);
console.log(`\n${values.page}, ${(seconds / 60).toFixed(1)} minutes\n`);
const changed = growth.filter(({ changedAgain }) => changedAgain > 0);
for (const { variant, count, changedAgain } of changed) {
  console.error(
    `${variant} with ${count} workloads: asking again has changed ${changedAgain} lines of the kernel's state.`,
  );
}
if (changed.length > 0) process.exitCode = 1;
for (const line of agentLines(found)) console.log(line);
