#!/usr/bin/env node
/**
 * `node --conditions=source bpf/test/coverage/main.ts FILE`: prints which verdicts the tests came to whose notes are in the file
 * (`MILLRACE_VERDICT_NOTES`), and fails if one was never come to.
 */
import { readFileSync } from "node:fs";
import type { Verdicts } from "../support/datapath.ts";
import { coverageOf } from "./coverage.ts";

const [file] = process.argv.slice(2);
if (!file) throw new Error("usage: main.ts FILE");
const lines = readFileSync(file, "utf8").trimEnd().split("\n");
const { table, missing, unknown } = coverageOf(lines.map((line) => JSON.parse(line) as Verdicts));
console.log(`How often the tests came to each verdict:\n${table}`);
if (missing.length) console.log(`No test comes to ${missing.join(", ")}.`);
if (unknown.length) console.log(`Not in bpf/test/coverage/reachable.ts: ${unknown.join(", ")}.`);
if (missing.length || unknown.length) process.exitCode = 1;
