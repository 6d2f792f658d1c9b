import { writeFileSync } from "node:fs";
import { behaviours } from "../behaviours/index.ts";
import { LabError } from "../errors.ts";
import { run } from "../programs/command.ts";
import { badgeLine, renderBadge } from "../report/badge.ts";
import { renderHtml } from "../report/html.ts";
import { buildReport, isGood, type Report, renderResult, renderSummary, renderTable } from "../report/report.ts";
import { findBackend } from "../suite/find-backend.ts";
import { runSuite } from "../suite/run.ts";
import { type CommandLine, subjectCommand, suiteOptions } from "./arguments.ts";
import { keepLab } from "./kept-lab.ts";
import { requireDirectory, requireMachine } from "./required.ts";
import { USAGE } from "./usage.ts";

export interface RunEnd {
  readonly status: 0 | 1;
  /** A lab was left up: it lives as long as this process. */
  readonly isKept: boolean;
}

/** Runs behaviours against a backend and prints what becomes of them. Throws ERR_SUITE_USAGE, and what {@link requireMachine} throws. */
export async function runCommand(line: CommandLine): Promise<RunEnd> {
  const { values } = line;
  if (values.backend === undefined) throw new LabError("ERR_SUITE_USAGE", USAGE);
  for (const file of values.report) {
    rendererOf(file);
    requireDirectory("--report", file);
  }
  if (values.badge !== undefined) requireDirectory("--badge", values.badge);
  const startedAt = new Date();
  const options = suiteOptions(line);
  const { name: backend, plugins, claims } = await findBackend(values.backend, values.plugin, process.cwd());
  const unknown = claims?.find((claim) => !behaviours.some(({ id }) => id === claim));
  if (unknown !== undefined)
    throw new LabError(
      "ERR_SUITE_USAGE",
      `${values.backend} claims ${unknown}, which is no behaviour; see the command list`,
    );
  requireMachine();
  const command = subjectCommand(line);
  const outcome = await runSuite({
    ...options,
    backend,
    plugins,
    ...(claims === undefined || values["ignore-claims"] ? {} : { claims }),
    onResult: (result) => process.stdout.write(`${renderResult(result, command, values.evidence)}\n`),
  });
  const { backendConfig, services, pods } = options;
  const subject = { backend, backendConfig, services, pods, commit: await commit(), startedAt, command };
  const report = buildReport(subject, outcome);
  process.stdout.write(`\n${renderTable(report)}\n\n${renderSummary(report)}\n${badgeLine(report)}\n`);
  for (const file of values.report) writeFileSync(file, rendererOf(file)(report));
  if (values.badge !== undefined) writeFileSync(values.badge, renderBadge(report));
  if (outcome.kept !== undefined) process.stdout.write(`\n${keepLab(outcome.kept)}\n`);
  return { status: isGood(report) ? 0 : 1, isKept: outcome.kept !== undefined };
}

/** How a report is written, by the end of its file's name. */
function rendererOf(file: string): (report: Report) => string {
  if (file.endsWith(".html")) return renderHtml;
  if (file.endsWith(".json")) return (report) => `${JSON.stringify(report, undefined, 2)}\n`;
  throw new LabError("ERR_SUITE_USAGE", `--report writes .json or .html, not ${file}`);
}

/** Of the sources this runs from, `-dirty` when they were changed since; MILLRACE_COMMIT says it where there is no git. */
async function commit(): Promise<string> {
  const told = process.env.MILLRACE_COMMIT;
  if (told !== undefined && told !== "") return told;
  const described = await run("git", ["-C", import.meta.dirname, "describe", "--always", "--dirty", "--abbrev=12"]);
  return described.status === 0 ? described.stdout.trim() : "unknown";
}
