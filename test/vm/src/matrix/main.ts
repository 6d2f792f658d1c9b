#!/usr/bin/env node
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { ROOT, writeBundles } from "../bundle.ts";
import { VmError } from "../errors.ts";
import { type KernelOutcome, type KernelRunOptions, runKernel } from "./kernel-run.ts";
import { renderPage } from "./page.ts";
import { KERNELS, type Kernel, RUNS, SMOKE } from "./plan.ts";
import { forget, merge, readResults, writeResults } from "./results.ts";

const USAGE = `Usage: node test/vm/dist/matrix/main.ts [options]

Runs the conformance suite on several kernels, each in one boot of a virtual machine, and writes docs/compatibility.md.

  --kernels <k>[,<k>…]   of ${KERNELS.join(", ")}; default: all
  --variants <v>[,<v>…]  of ${RUNS.join(", ")}; default: all
  --only <id>[,<id>…]    these behaviours; the page is then left alone
  --smoke                what a change must not break, on the oldest and the newest kernel; the page is left alone
  --render               write the page anew from docs/compatibility.json, run nothing
  --limit <seconds>      for each kernel
  --jobs <n>             so many kernels at a time, with one processor each; default: 1, with two
  --accelerator tcg|kvm  default: tcg

Exit status: 0 when everything passed everywhere, 1 when something failed or a guest did not boot, 2 for wrong usage.
`;

const SMOKE_KERNELS = ["5.10", "6.12"] as const;

const DATA = join(ROOT, "docs", "compatibility.json");
const PAGE = join(ROOT, "docs", "compatibility.md");

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      kernels: { type: "string" },
      variants: { type: "string" },
      only: { type: "string" },
      smoke: { type: "boolean", default: false },
      render: { type: "boolean", default: false },
      limit: { type: "string" },
      jobs: { type: "string", default: "1" },
      accelerator: { type: "string" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) {
    process.stdout.write(USAGE);
    return 0;
  }
  if (values.render) {
    writeFileSync(PAGE, renderPage(readResults(DATA)));
    return 0;
  }
  const { smoke } = values;
  const kernels = chosen(values.kernels, KERNELS, smoke ? SMOKE_KERNELS : KERNELS);
  const only = list(values.only) ?? [];
  const complete = !smoke && only.length === 0;
  const directory = join(ROOT, "artefacts", smoke ? "vm-smoke" : "matrix");
  const bundles = join(directory, "bundles");
  mkdirSync(directory, { recursive: true });
  await writeBundles(bundles);

  const jobs = count(values.jobs);
  const failures: string[] = [];
  const runAll = async (kernel: Kernel): Promise<void> => {
    const wanted = smoke ? [SMOKE] : chosen(values.variants, RUNS, RUNS);
    process.stdout.write(`matrix: Linux ${kernel}: ${wanted.join(", ")}\n`);
    const began = performance.now();
    const { release, results, missing, failure } = await attempt(kernel, {
      wanted,
      only,
      bundles,
      results: directory,
      limitSeconds: Number(values.limit ?? (smoke ? 1_500 : 10_800)),
      ...(jobs > 1 ? { beside: true } : {}),
      ...(values.accelerator === undefined ? {} : { accelerator: values.accelerator }),
    });
    const seconds = Math.round((performance.now() - began) / 1000);
    process.stdout.write(`matrix: Linux ${kernel} (${release}): ${failure ?? "all passed"}, ${seconds} s\n`);
    if (failure !== undefined) failures.push(`Linux ${kernel}: ${failure}`);
    if (complete) {
      // After each kernel: what was found is not lost when a later one is interrupted.
      const all = merge(forget(readResults(DATA), kernel, missing), results);
      writeResults(DATA, all);
      writeFileSync(PAGE, renderPage(all));
    }
  };
  const waiting = [...kernels] as Kernel[];
  const worker = async (): Promise<void> => {
    for (let kernel = waiting.shift(); kernel !== undefined; kernel = waiting.shift()) await runAll(kernel);
  };
  await Promise.all(Array.from({ length: jobs }, worker));
  process.stdout.write(failures.length === 0 ? "matrix: all passed\n" : `matrix: FAILED\n${failures.join("\n")}\n`);
  return failures.length === 0 ? 0 : 1;
}

/** A kernel that cannot be had is a failure like any other; the next one is run all the same. */
async function attempt(kernel: Kernel, options: KernelRunOptions): Promise<KernelOutcome> {
  try {
    return await runKernel(kernel, options);
  } catch (error) {
    if (!(error instanceof VmError)) throw error;
    const results = { suites: [], selections: [] };
    return { release: "none", results, missing: options.wanted, failure: error.message };
  }
}

const list = (text: string | undefined): string[] | undefined => text?.split(/[\s,]+/).filter((word) => word !== "");

function count(text: string): number {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1) throw new VmError("ERR_VM_USAGE", `${text} is no number of kernels\n`);
  return number;
}

function chosen(text: string | undefined, known: readonly string[], fallback: readonly string[]): readonly string[] {
  const names = list(text) ?? fallback;
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined) throw new VmError("ERR_VM_USAGE", `there is no ${unknown}; known: ${known.join(", ")}\n`);
  return names;
}

try {
  process.exitCode = await main();
} catch (error) {
  const usage =
    (error instanceof VmError && error.code === "ERR_VM_USAGE") ||
    (error as NodeJS.ErrnoException).code?.startsWith("ERR_PARSE_ARGS") === true;
  if (!usage && !(error instanceof VmError)) throw error;
  process.stderr.write(`matrix: ${(error as Error).message}\n`);
  process.exitCode = usage ? 2 : 1;
}
