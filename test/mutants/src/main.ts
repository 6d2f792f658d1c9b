import { readFileSync, writeFileSync } from "node:fs";
import { release } from "node:os";
import { parseArgs } from "node:util";
import { type Catch, catchMutant } from "./catch-mutant.ts";
import { isGood, renderCatch, renderMatrix, renderTotal } from "./matrix.ts";
import { mutants } from "./mutants.ts";
import { renderSection, withSection } from "./page.ts";

const USAGE = `Usage: node test/mutants/dist/main.js [--full] [--only <id>[,<id>…]] [--jobs <number>] [--report <file.json>] [--page <file.md>]

Runs deliberately wrong backends, one for each behaviour, and prints which behaviours caught them.

  --full    against all numbered behaviours, not only each against its own; takes most of an hour
  --jobs    how many at once, default 1
  --page    with --full, and of all of them: the page to write what was found into, docs/conformance.md

Exit status: 0 when each was caught, and with --full passed 25 others at least; 1 when not; 2 for wrong usage.
`;

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      full: { type: "boolean", default: false },
      only: { type: "string", default: "" },
      jobs: { type: "string", default: "1" },
      report: { type: "string" },
      page: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  const ids = values.only.split(",").filter(Boolean);
  const unknown = ids.find((id) => !mutants.some(({ behaviour }) => behaviour === id));
  if (values.help || unknown !== undefined) {
    process.stderr.write(unknown === undefined ? USAGE : `there is no mutant for ${unknown}\n`);
    return values.help ? 0 : 2;
  }
  const waiting = mutants.filter(({ behaviour }) => ids.length === 0 || ids.includes(behaviour));
  const wanted = waiting.length;
  const catches: Catch[] = [];
  const work = async () => {
    for (let mutant = waiting.shift(); mutant !== undefined; mutant = waiting.shift()) {
      const caught = await catchMutant(mutant, values.full ? "all" : "own");
      catches.push(caught);
      process.stdout.write(`${renderCatch(caught)}\n`);
      // As it goes: a run of an hour that is broken off has shown something.
      if (values.report !== undefined) writeFileSync(values.report, `${JSON.stringify(catches, undefined, 2)}\n`);
    }
  };
  await Promise.all(Array.from({ length: Number(values.jobs) }, work));
  if (values.full && values.page !== undefined && ids.length === 0) {
    const ran = { kernel: release(), day: new Date().toISOString().slice(0, 10) };
    writeFileSync(values.page, withSection(readFileSync(values.page, "utf8"), renderSection(catches, ran)));
  }
  if (values.full) process.stdout.write(`\n${renderMatrix(catches)}\n`);
  process.stdout.write(`\n${renderTotal(catches)}\n`);
  return catches.length === wanted && catches.every(isGood) ? 0 : 1;
}

process.exitCode = await main();
