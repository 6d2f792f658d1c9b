import { readFileSync, writeFileSync } from "node:fs";
import { release } from "node:os";
import { parseArgs } from "node:util";
import { type Catch, catchMutant } from "./catch-mutant.ts";
import { isGood, renderCatch, renderMatrix, renderTotal } from "./matrix.ts";
import { mutants } from "./mutants.ts";
import { renderSection, withSection } from "./page.ts";
import { isFull, merge, readResults, writeResults } from "./results.ts";

const USAGE = `Usage: node test/mutants/dist/main.js [--full] [--only <id>[,<id>…]] [--rest] [--jobs <number>] [--report <file.json>] [--results <file.json>] [--page <file.md>]

Runs deliberately wrong backends, one for each behaviour, and prints which behaviours caught them.

  --full     against all numbered behaviours, not only each against its own; takes hours
  --jobs     how many at once, default 1
  --report   what was found now, as JSON
  --results  with --full: what all runs found, docs/mutants.json; each mutant is put in its place as it ends
  --rest     with --results: only those that were not run against all by then
  --page     with --results: the page to write all of that into, docs/conformance.md

Exit status: 0 when each was caught, and with --full passed 25 others at least; 1 when not; 2 for wrong usage.
`;

interface Options {
  readonly full: boolean;
  /** Ids of behaviours; none: all. */
  readonly only: readonly string[];
  readonly rest: boolean;
  readonly jobs: number;
  readonly report: string | undefined;
  readonly results: string | undefined;
  readonly page: string | undefined;
}

/** What is wrong with these options, or undefined. */
function wrongWith({ full, only, rest, results, page }: Options): string | undefined {
  const unknown = only.find((id) => !mutants.some(({ behaviour }) => behaviour === id));
  if (unknown !== undefined) return `there is no mutant for ${unknown}`;
  // What is kept is of full runs, and the page is made of what is kept.
  if (results !== undefined && !full) return "--results needs --full";
  if (results === undefined && (rest || page !== undefined)) return "--rest and --page need --results";
  return undefined;
}

async function runMutants({ full, only, rest, jobs, report, results, page }: Options): Promise<number> {
  const kept = () => (results === undefined ? [] : readResults(results));
  const there = new Set((rest ? kept() : []).filter(isFull).map(({ behaviour }) => behaviour));
  const isWanted = (behaviour: string) => (only.length === 0 || only.includes(behaviour)) && !there.has(behaviour);
  const waiting = mutants.filter(({ behaviour }) => isWanted(behaviour));
  const wanted = waiting.length;
  const catches: Catch[] = [];
  const work = async () => {
    for (let mutant = waiting.shift(); mutant !== undefined; mutant = waiting.shift()) {
      const caught = await catchMutant(mutant, full ? "all" : "own");
      catches.push(caught);
      process.stdout.write(`${renderCatch(caught)}\n`);
      // As it goes: a run of hours that is broken off has shown something.
      if (results !== undefined) keep(caught, results, page);
      if (report !== undefined) writeFileSync(report, `${JSON.stringify(catches, undefined, 2)}\n`);
    }
  };
  await Promise.all(Array.from({ length: jobs }, work));
  const shown = results === undefined ? catches : kept();
  if (full) process.stdout.write(`\n${renderMatrix(shown)}\n`);
  process.stdout.write(`\n${renderTotal(shown)}\n`);
  return catches.length === wanted && shown.every(isGood) ? 0 : 1;
}

function keep(caught: Catch, file: string, page: string | undefined): void {
  const found = { ...caught, kernel: release(), day: new Date().toISOString().slice(0, 10) };
  const all = merge(readResults(file), found);
  writeResults(file, all);
  if (page !== undefined) writeFileSync(page, withSection(readFileSync(page, "utf8"), renderSection(all)));
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      full: { type: "boolean", default: false },
      only: { type: "string", default: "" },
      rest: { type: "boolean", default: false },
      jobs: { type: "string", default: "1" },
      report: { type: "string" },
      results: { type: "string" },
      page: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  const { report, results, page } = values;
  const only = values.only.split(",").filter(Boolean);
  const options = { ...values, only, jobs: Number(values.jobs), report, results, page };
  const wrong = wrongWith(options);
  if (values.help || wrong !== undefined) process.stderr.write(values.help ? USAGE : `${wrong}\n`);
  if (values.help) return 0;
  return wrong === undefined ? runMutants(options) : 2;
}

process.exitCode = await main();
