#!/usr/bin/env node
/**
 * Fuzzes the programs at the veths of members and proxies, and in the namespace of a dead proxy. Needs root.
 * `node --conditions=source bpf/test/fuzz/main.ts [--frames 1000000] [--seed N]`; without a number of frames it goes on until it is interrupted.
 * Exit status 1: a frame became something else than docs/data-path.md says, or a row had too few frames.
 */
import { randomBytes } from "node:crypto";
import { setImmediate as turn } from "node:timers/promises";
import { parseArgs } from "node:util";
import { BATCH, emptyTally, fuzzBatch } from "./fuzz.ts";
import { findings, histogram, summary, tcpShare } from "./report.ts";
import { ROW_IDS } from "./rows.ts";
import { TARGETS, Target } from "./target.ts";

const FRAMES_PER_ROW = 1000;
const TCP_SHARE = 0.6;
const SECONDS_BETWEEN_REPORTS = 30;

const { values } = parseArgs({ options: { frames: { type: "string" }, seed: { type: "string" } } });
const wanted = values.frames === undefined ? Number.POSITIVE_INFINITY : Number(values.frames);
const seed = values.seed === undefined ? randomBytes(4).readUInt32LE() : Number(values.seed);
if (!(wanted > 0)) throw new RangeError(`--frames ${values.frames} is no number of frames`);
if (!Number.isInteger(seed)) throw new RangeError(`--seed ${values.seed} is no whole number`);

let interrupted = false;
process.once("SIGINT", () => {
  interrupted = true;
});
console.log(`fuzz: seed ${seed}, ${TARGETS.join(", ")}`);
using stack = new DisposableStack();
const targets = TARGETS.map((name) => stack.use(new Target(name)));
const tally = emptyTally();
const began = performance.now();
const seconds = () => (performance.now() - began) / 1000;
let reported = 0;

// Each batch has a seed of its own: --seed of a finding repeats it in the first batch.
for (let batch = 0; tally.frames < wanted && tally.findings.length === 0 && !interrupted; batch++) {
  fuzzBatch(targets, (seed + batch) >>> 0, tally);
  await turn();
  if (seconds() - reported < SECONDS_BETWEEN_REPORTS) continue;
  reported = seconds();
  console.log(`fuzz: ${tally.frames} frames in ${reported.toFixed(0)} s, at seed ${(seed + batch) >>> 0}`);
}

console.log(histogram(tally));
const { user, system } = process.cpuUsage();
console.log(
  `${(100 * tcpShare(tally)).toFixed(1)} % are a member's TCP; ${tally.refused} more were refused by the kernel; ` +
    `${seconds().toFixed(1)} s, of CPU time ${((user + system) / 1e6).toFixed(1)} s`,
);
if (tally.findings.length) console.log(findings(tally));
const thin = ROW_IDS.filter((row) => (tally.rows.get(row) ?? 0) < FRAMES_PER_ROW);
const isWhole = !interrupted && tally.findings.length === 0 && tally.frames >= FRAMES_PER_ROW * BATCH;
if (isWhole && thin.length) console.log(`fuzz: fewer than ${FRAMES_PER_ROW} frames of ${thin.join(", ")}`);
if (isWhole && tcpShare(tally) < TCP_SHARE) console.log(`fuzz: less than ${100 * TCP_SHARE} % are a member's TCP`);
console.log(summary(tally));
if (tally.findings.length || (isWhole && (thin.length || tcpShare(tally) < TCP_SHARE))) process.exitCode = 1;
