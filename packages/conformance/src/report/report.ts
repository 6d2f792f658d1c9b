import { release } from "node:os";
import { describeAccount, type LogAccount } from "../agent/log-account.ts";
import type { PodNetworkKind } from "../lab/pod-network.ts";
import type { ServiceMode } from "../lab/services.ts";
import { type DifferenceId, shownBy } from "../suite/differences.ts";
import type { NotApplicable, SuiteOutcome, TrialResult, Unclaimed } from "../suite/run.ts";
import type { TunnelUse } from "../suite/tunnels.ts";

/** How many behaviours have a number: section 7 of the requirements, docs/conformance.md. */
export const NUMBERED = 30;

/** What was run: stated in a report's head. */
export interface Subject {
  readonly backend: string;
  readonly backendConfig: Readonly<Record<string, unknown>>;
  readonly services: ServiceMode;
  readonly pods: PodNetworkKind;
  /** Of the sources; `unknown` outside of a checkout. */
  readonly commit: string;
  readonly startedAt: Date;
  /** The command that runs all of this, without what picks trials and says where reports go: see {@link repeatCommand}. */
  readonly command: string;
}

/** What `--report` writes. */
export interface Report {
  /** `30/30 behaviours`: how many of the numbered ones were run in all they are meant for, and passed. */
  readonly headline: string;
  readonly backend: string;
  /** Backend and what was chosen of it: `ebpf tcx`, `iptables nft`. */
  readonly variant: string;
  readonly backendConfig: object;
  /** kube-proxy's mode, as the lab played it. */
  readonly services: ServiceMode;
  /** How pods were attached to their node. */
  readonly pods: PodNetworkKind;
  /** `uname -r`. */
  readonly kernel: string;
  readonly commit: string;
  /** RFC 3339. */
  readonly startedAt: string;
  readonly seconds: number;
  readonly passed: number;
  readonly failed: number;
  /** Kind of the tunnel in use; `none` when no tunnel device of the node carried a packet. */
  readonly tunnel: string;
  readonly tunnels: readonly TunnelUse[];
  /** What became of the agents' event logs. */
  readonly logs: LogAccount;
  /** Why some do not replay, or are not there: the run has failed then, whatever passed. */
  readonly logFailures: readonly string[];
  /** Behaviours that the backend does not claim. Neither passed nor failed, and not left out either. */
  readonly unclaimed: readonly Unclaimed[];
  /** Behaviours that say nothing about this backend, and why. Neither passed nor failed. */
  readonly notApplicable: readonly NotApplicable[];
  /** Where backends are documented to differ, with what this one was seen to do. */
  readonly differences: readonly { readonly id: DifferenceId; readonly shows: string }[];
  readonly results: readonly ReportedTrial[];
}

export interface ReportedTrial extends TrialResult {
  /** The command that runs this trial and no other. */
  readonly repeat: string;
}

export function buildReport(
  subject: Subject,
  { results, notApplicable, unclaimed, tunnels, logs, logFailures }: SuiteOutcome,
): Report {
  const passed = results.filter((result) => result.passed).length;
  const used = tunnels.filter(({ received, sent }) => received + sent > 0);
  const differences = [...new Set(results.flatMap((result) => result.differences))];
  return {
    headline: headline(results, unclaimed),
    backend: subject.backend,
    variant: variantOf(subject),
    backendConfig: subject.backendConfig,
    services: subject.services,
    pods: subject.pods,
    kernel: release(),
    commit: subject.commit,
    startedAt: subject.startedAt.toISOString(),
    seconds: Math.round((Date.now() - subject.startedAt.getTime()) / 100) / 10,
    passed,
    failed: results.length - passed,
    tunnel: [...new Set(used.map(({ kind }) => kind))].join(", ") || "none",
    tunnels,
    logs,
    logFailures,
    notApplicable,
    unclaimed,
    differences: differences.map((id) => ({ id, shows: shownBy(id, subject.backend).text })),
    results: results.map((result) => ({ ...result, repeat: repeatCommand(subject.command, result) })),
  };
}

/** Whether there was something to pass, all of it passed, and the log of every agent was verified. */
export const isGood = ({ results, failed, logs, logFailures }: Report): boolean =>
  results.length > 0 && failed === 0 && logs.missing === 0 && logFailures.length === 0;

/** How one trial is run alone; with ` --keep` behind it, its lab stays up. */
export const repeatCommand = (command: string, { id, family, temperature }: TrialResult): string =>
  `${command} --only ${id} --family ${family} --temperature ${temperature}`;

/** A numbered behaviour counts when nothing it was run in failed; one that was not run does not count, nor one that is unclaimed in part. */
export function headline(
  results: readonly Pick<TrialResult, "number" | "passed">[],
  unclaimed: readonly Pick<Unclaimed, "number">[] = [],
): string {
  const failed = new Set([...results.filter(({ passed }) => !passed), ...unclaimed].map(numberOf));
  const shown = new Set(results.map(numberOf).filter((number) => number !== undefined && !failed.has(number)));
  return `${shown.size}/${NUMBERED} behaviours`;
}

/** 2b belongs to 2. */
const numberOf = ({ number }: Pick<Unclaimed, "number">): number | undefined => (number === "2b" ? 2 : number);

function variantOf({ backend, backendConfig }: Subject): string {
  const chosen = ["attach", "flavour", "tunnel"].map((key) => backendConfig[key]);
  return [backend, ...chosen.filter((value) => typeof value === "string" && value !== "auto")].join(" ");
}

/** One line as a trial ends; below it what was seen and how to run it again, when it failed or `everything` is to be shown. */
export function renderResult(result: TrialResult, command: string, everything = false): string {
  const name = `${mark(result)}  ${result.id.padEnd(28)} IPv${result.family}  ${result.temperature}`;
  const line = `${result.passed ? "pass" : "FAIL"}  ${name}  ${String(result.ms).padStart(6)} ms`;
  if (result.passed && !everything) return line;
  const details = [
    ...(result.failure === undefined ? [] : [result.failure]),
    ...result.evidence.map((seen) => `saw ${seen}`),
    `alone: ${repeatCommand(command, result)}`,
  ].join("\n");
  return `${line}\n${details.replace(/^/gm, "        ")}`;
}

/** Behaviour × family and temperature. `·`: not meant for that, or not run. */
export function renderTable({ results, unclaimed }: Pick<Report, "results" | "unclaimed">): string {
  const columns = [
    { title: "v4 cold", family: 4, temperature: "cold" },
    { title: "v4 warm", family: 4, temperature: "warm" },
    { title: "v6 cold", family: 6, temperature: "cold" },
    { title: "v6 warm", family: 6, temperature: "warm" },
  ] as const;
  const ids = [...new Set(results.map(({ id }) => id))];
  const width = Math.max(9, ...ids.map((id) => id.length), ...unclaimed.map(({ id }) => id.length)) + 4;
  const rows = ids.map((id) => {
    const own = results.filter((result) => result.id === id);
    const cells = columns.map(({ family, temperature }) => {
      const result = own.find((candidate) => candidate.family === family && candidate.temperature === temperature);
      return (result === undefined ? "·" : result.passed ? "pass" : "FAIL").padEnd(9);
    });
    return `${`${mark(own[0])}  ${id}`.padEnd(width)}  ${cells.join("")}`.trimEnd();
  });
  const head = `${"    behaviour".padEnd(width)}  ${columns.map(({ title }) => title.padEnd(9)).join("")}`.trimEnd();
  const left = unclaimed.map((behaviour) => `${`${mark(behaviour)}  ${behaviour.id}`.padEnd(width)}  unclaimed`);
  return [head, ...rows, ...left].join("\n");
}

const mark = (result: Pick<TrialResult, "number"> | undefined): string => String(result?.number ?? "x").padStart(2);

/** What else there is to say: whatever does not apply, documented differences, the slowest, the tunnel; then the totals. */
export function renderSummary(report: Report): string {
  const slowest = [...report.results].sort((a, b) => b.ms - a.ms).slice(0, 10);
  return [
    ...section(
      "not applicable",
      report.notApplicable.map(({ id, because }) => `${id}: ${because}`),
    ),
    ...section(
      "documented differences",
      report.differences.map(({ id, shows }) => `${id}: ${shows}`),
    ),
    ...section(
      "slowest",
      slowest.map(
        ({ id, family, temperature, ms }) => `${String(ms).padStart(6)} ms  ${id} IPv${family} ${temperature}`,
      ),
    ),
    ...section(
      "tunnel devices",
      report.tunnels.map(
        ({ device, kind, received, sent }) => `${device} (${kind}): ${received} received, ${sent} sent`,
      ),
    ),
    ...section("event logs that are not as they should be", report.logFailures),
    `${report.variant}, Services by ${report.services}, pods ${report.pods === "bridge" ? "on a bridge" : report.pods}, Linux ${report.kernel}, commit ${report.commit}, ${report.seconds} s`,
    `${report.headline}, tunnel ${report.tunnel}`,
    describeAccount(report.logs),
    `conformance: ${report.passed} passed, ${report.failed} failed${unclaimedPart(report)}`,
  ].join("\n");
}

const unclaimedPart = ({ unclaimed }: Report): string =>
  unclaimed.length === 0 ? "" : `, ${unclaimed.length} unclaimed`;

const section = (title: string, lines: readonly string[]): string[] =>
  lines.length === 0 ? [] : [`${title}:`, ...lines.map((line) => `  ${line}`), ""];
