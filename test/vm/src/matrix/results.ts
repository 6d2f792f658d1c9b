import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { describeAccount, type Report } from "@millrace/conformance";
import { z } from "zod";
import { Choice, type SelectionReport } from "../selection/report.ts";
import { KERNELS, type Kernel, VARIANTS } from "./plan.ts";

const KernelName = z.enum(KERNELS);
const Count = z.object({ passed: z.number().int(), failed: z.number().int() });

/** What is kept of one variant's report on one kernel. */
const SuiteResult = z.object({
  kernel: KernelName,
  /** `uname -r` of the kernel that it ran on. */
  release: z.string(),
  variant: z.string(),
  /** `30/30 behaviours`. */
  headline: z.string(),
  services: z.string(),
  tunnel: z.string(),
  /** Packets over the node's tunnel devices, both ways. */
  tunnelPackets: z.number().int(),
  families: z.object({ ipv4: Count, ipv6: Count }),
  failures: z.array(z.string()),
  notApplicable: z.array(z.string()),
  commit: z.string(),
  startedAt: z.string(),
  seconds: z.number(),
});
export type SuiteResult = z.output<typeof SuiteResult>;

const SelectionResult = z.object({
  kernel: KernelName,
  release: z.string(),
  commit: z.string(),
  startedAt: z.string(),
  choices: z.array(Choice),
});
export type SelectionResult = z.output<typeof SelectionResult>;

const Results = z.object({ suites: z.array(SuiteResult), selections: z.array(SelectionResult) });
export type Results = z.output<typeof Results>;

/** Reads what earlier runs left; nothing when the file is not there. */
export function readResults(file: string): Results {
  try {
    return Results.parse(JSON.parse(readFileSync(file, "utf8")));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return { suites: [], selections: [] };
    throw error;
  }
}

export function writeResults(file: string, results: Results): void {
  writeFileSync(`${file}.new`, `${JSON.stringify(results, undefined, 2)}\n`);
  renameSync(`${file}.new`, file);
}

export function suiteResult(kernel: Kernel, variant: string, report: Report): SuiteResult {
  const count = (family: 4 | 6) => {
    const own = report.results.filter((result) => result.family === family);
    const passed = own.filter((result) => result.passed).length;
    return { passed, failed: own.length - passed };
  };
  return {
    kernel,
    release: report.kernel,
    variant,
    headline: report.headline,
    services: report.services,
    tunnel: report.tunnel,
    tunnelPackets: report.tunnels.reduce((sum, { received, sent }) => sum + received + sent, 0),
    families: { ipv4: count(4), ipv6: count(6) },
    failures: [
      ...report.results
        .filter(({ passed }) => !passed)
        .map(({ id, family, temperature }) => `${id} IPv${family} ${temperature}`),
      ...(report.logs.missing === 0 ? [] : [describeAccount(report.logs)]),
    ],
    notApplicable: report.notApplicable.map(({ id }) => id),
    commit: report.commit,
    startedAt: report.startedAt,
    seconds: report.seconds,
  };
}

export function selectionResult(kernel: Kernel, { kernel: release, ...rest }: SelectionReport): SelectionResult {
  return { kernel, release, ...rest };
}

/** Puts new results in the place of those of the same kernel and variant; in the order of the plan. */
export function merge(old: Results, fresh: Partial<Results>): Results {
  const place = (kernel: Kernel, variant = "") =>
    KERNELS.indexOf(kernel) * VARIANTS.length + VARIANTS.findIndex(({ name }) => name === variant);
  const kept = old.suites.filter(
    (one) => !fresh.suites?.some(({ kernel, variant }) => kernel === one.kernel && variant === one.variant),
  );
  const keptSelections = old.selections.filter((one) => !fresh.selections?.some(({ kernel }) => kernel === one.kernel));
  return {
    suites: [...kept, ...(fresh.suites ?? [])].sort((a, b) => place(a.kernel, a.variant) - place(b.kernel, b.variant)),
    selections: [...keptSelections, ...(fresh.selections ?? [])].sort((a, b) => place(a.kernel) - place(b.kernel)),
  };
}

/** Takes away what was found earlier on a kernel for runs that have now ended without a result. */
export function forget(results: Results, kernel: Kernel, runs: readonly string[]): Results {
  return {
    suites: results.suites.filter((one) => one.kernel !== kernel || !runs.includes(one.variant)),
    selections: results.selections.filter((one) => one.kernel !== kernel || !runs.includes("selection")),
  };
}
