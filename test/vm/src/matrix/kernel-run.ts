import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, realpathSync, rmSync } from "node:fs";
import { homedir, release as hostRelease } from "node:os";
import { dirname, join } from "node:path";
import type { Report } from "@millrace/conformance";
import { ROOT } from "../bundle.ts";
import { fetchKernel } from "../kernels/kernels.ts";
import { SelectionReport } from "../selection/report.ts";
import { type Kernel, type Run, runsOn, SELECTION, SMOKE } from "./plan.ts";
import { type Results, selectionResult, suiteResult } from "./results.ts";
import { NO_STATUS, runOn, TIME_LIMIT } from "./vm.ts";

export interface KernelRunOptions {
  /** Runs wanted, by name. */
  readonly wanted: readonly string[];
  /** Behaviours, by id; default all. */
  readonly only: readonly string[];
  /** Folder with {@link writeBundles}' programs. */
  readonly bundles: string;
  /** Folder for reports and logs; one below it per kernel. */
  readonly results: string;
  readonly accelerator?: string;
  readonly limitSeconds: number;
  /** Other kernels run at the same time: one processor, and its name before each line of output. */
  readonly beside?: boolean;
}

export interface KernelOutcome {
  readonly release: string;
  /** Results that there are now. */
  readonly results: Results;
  /** Runs that ended without a report. */
  readonly missing: readonly string[];
  /** In words, when something failed. */
  readonly failure?: string;
}

/**
 * How much slower than a usual machine an emulated one is, for the time limits of the lab. Measured for starting processes,
 * which is most of what the lab does: 8 to 10, and twice that beside another guest.
 */
const SLOW_IN_GUEST = 20;

/** Everything wanted on one kernel: one boot. Throws VmError when the kernel cannot be had. */
export async function runKernel(kernel: Kernel, options: KernelRunOptions): Promise<KernelOutcome> {
  const cache = process.env.MILLRACE_CACHE ?? join(homedir(), ".cache", "millrace");
  const unpacked =
    kernel === "host"
      ? undefined
      : fetchKernel(kernel, { cache, onProgress: (message) => process.stdout.write(`kernels: ${message}\n`) });
  const release = unpacked === undefined ? hostRelease() : releaseOf(unpacked);
  const runs = runsOn(release, options.wanted, options.only);
  const results = join(options.results, kernel);
  mkdirSync(results, { recursive: true });
  for (const { name } of runs) rmSync(join(results, `${name}.json`), { force: true });

  const programs = { MILLRACE_HAPROXY: process.env.MILLRACE_HAPROXY, MILLRACE_UNBOUND: process.env.MILLRACE_UNBOUND };
  const unpackedPrograms = Object.entries(programs).filter(([, path]) => path?.startsWith("/")) as [string, string][];
  const status = await runOn(
    {
      ...(unpacked === undefined ? {} : { kernel: unpacked }),
      ...(options.accelerator === undefined ? {} : { accelerator: options.accelerator }),
      ...(options.beside === true ? { processors: 1, label: kernel } : {}),
      results,
      visible: [cache, ROOT, dirname(process.execPath), ...unpackedPrograms.map(([, path]) => dirname(path))],
      environment: {
        PATH: `${dirname(process.execPath)}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`,
        ...Object.fromEntries(unpackedPrograms),
        MILLRACE_COMMIT: commit(),
        ...(unpacked === undefined ? {} : { MILLRACE_SLOW: String(SLOW_IN_GUEST) }),
      },
      limitSeconds: options.limitSeconds,
    },
    join(results, "output.log"),
    [
      "test/vm/guest/conformance.sh",
      ...(unpacked === undefined ? [] : ["-b", options.bundles]),
      results,
      ...runs.map((run) => `${run.name}: ${run.arguments}`),
    ],
  );
  return outcome(kernel, release, runs, results, status);
}

function outcome(
  kernel: Kernel,
  release: string,
  runs: readonly Run[],
  directory: string,
  status: number,
): KernelOutcome {
  const report = (name: string): unknown => JSON.parse(readFileSync(join(directory, `${name}.json`), "utf8"));
  const there = runs.filter(({ name }) => existsSync(join(directory, `${name}.json`))).map(({ name }) => name);
  const missing = runs.map(({ name }) => name).filter((name) => !there.includes(name));
  const results: Results = {
    suites: there.filter((name) => !isSelection(name)).map((name) => suiteResult(kernel, name, report(name) as Report)),
    selections: there.filter(isSelection).map((name) => selectionResult(kernel, SelectionReport.parse(report(name)))),
  };
  const failure = explain(kernel, status, missing, results);
  return { release, results, missing, ...(failure === undefined ? {} : { failure }) };
}

const isSelection = (name: string): boolean => name === SELECTION || name === SMOKE;

/** What is wrong, if anything is: a result of the wrong kernel or without its tunnel is no result. */
function explain(kernel: Kernel, status: number, missing: readonly string[], results: Results): string | undefined {
  const problems = [
    ...(status === NO_STATUS ? ["the guest did not boot, or died"] : []),
    ...(status === TIME_LIMIT ? ["the time limit was reached"] : []),
    ...(missing.length > 0 ? [`no report of ${missing.join(", ")}`] : []),
    ...results.suites
      .filter(({ variant, tunnelPackets }) => variant.startsWith("iptables") && tunnelPackets === 0)
      .map(({ variant }) => `${variant}: no packet went over a tunnel`),
    ...results.suites
      .filter(({ variant, tunnel }) => kernel !== "host" && variant.startsWith("iptables") && tunnel !== "geneve")
      .map(({ variant, tunnel }) => `${variant}: its tunnel was ${tunnel}, not geneve`),
    ...results.suites
      .filter(({ failures }) => failures.length > 0)
      .map(({ variant, failures }) => `${variant}: ${failures.length} trials failed`),
    ...results.selections.flatMap(({ choices }) =>
      choices.filter(({ passed }) => !passed).map(({ situation }) => `failed: ${situation}`),
    ),
    ...results.selections.flatMap(({ choices }) =>
      choices
        .filter(({ backend, tunnel }) => kernel !== "host" && backend === "iptables" && !tunnel.startsWith("geneve"))
        .map(({ situation, tunnel }) => `${situation}: its tunnel was ${tunnel}, not geneve`),
    ),
  ];
  if (problems.length === 0 && status !== 0) problems.push(`exit status ${status}`);
  return problems.length === 0 ? undefined : problems.join("; ");
}

/** `uname -r` of an unpacked kernel: the end of its vmlinuz's name. */
function releaseOf(unpacked: string): string {
  const image = readdirSync(join(realpathSync(unpacked), "boot")).find((name) => name.startsWith("vmlinuz-")) ?? "";
  return image.slice("vmlinuz-".length);
}

/** Of the sources, `-dirty` when they were changed since; the pages that a run writes itself are none. */
function commit(): string {
  const git = (...args: string[]): string => execFileSync("git", ["-C", ROOT, ...args], { encoding: "utf8" }).trim();
  const changed = git("status", "--porcelain", "--untracked-files=no", "--", ".", ":(exclude)docs/compatibility.*");
  return `${git("describe", "--always", "--abbrev=12")}${changed === "" ? "" : "-dirty"}`;
}
