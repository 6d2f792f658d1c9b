#!/usr/bin/env node
/**
 * The ratios of `make bench-quick` of this checkout beside those of another, which has been built: their agents take turns in the same run. Prints both, and fails
 * where one is worse in every repetition; see redirection/compared.ts.
 *
 * Needs root. `node --conditions=source bench/compare.ts --base DIRECTORY`, or `make bench-compare`.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { compare, comparedText, withBase } from "./redirection/compared.ts";
import { isLoaded, machine } from "./redirection/machine.ts";
import { measure } from "./redirection/measure.ts";
import { stepAside } from "./redirection/pinned.ts";
import { cells, QUICK } from "./redirection/plan.ts";
import type { Sample } from "./redirection/sample.ts";

const { values } = parseArgs({ options: { base: { type: "string" } } });
const main = join(values.base ?? "", "packages/agent/dist/main.js");
if (values.base === undefined || !existsSync(main)) {
  throw new RangeError(`--base ${values.base}: a checkout that has been built is wanted, and there is no ${main}`);
}

const where = await machine();
console.log(
  `${where.processor}, ${where.processors} processors, Linux ${where.kernel}, ${(where.busy * 100).toFixed(0)} % busy`,
);
if (isLoaded(where)) console.log("The machine is busy with other things: only what is worse each time counts.");
stepAside();

const samples: Sample[] = [];
for (const cell of cells(withBase(QUICK, [process.execPath, main]))) samples.push(...(await measure(cell)));
const found = compare(samples);
for (const each of found) console.log(comparedText(each));
const worse = found.filter(({ isWorse }) => isWorse);
console.log(`bench-compare: ${found.length} ratios, ${worse.length} worse`);
process.exitCode = worse.length === 0 ? 0 : 1;
