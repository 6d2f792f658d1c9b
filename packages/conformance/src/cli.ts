#!/usr/bin/env node
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { behaviours } from "./behaviours/index.ts";
import { LabError } from "./errors.ts";
import type { Family } from "./lab/addresses.ts";
import { Lab } from "./lab/lab.ts";
import type { Behaviour, Temperature } from "./suite/behaviour.ts";
import { buildReport, renderResult, renderTable } from "./suite/report.ts";
import { runSuite } from "./suite/run.ts";

const USAGE = `Usage: node --conditions=source packages/conformance/src/cli.ts <command>

  list                 the behaviours, in Given / When / Then
  sweep                remove what labs of dead processes left
  run --backend <name> run behaviours against a backend
      --attach <mode>        how the ebpf backend attaches: tcx or clsact
      --config <json>        the backend's configuration
      --plugin <path>        a plugin the agent is to load; may be repeated
      --agent <command>      how to run millrace; default: this repository's sources
      --only <id>[,<id>…]    these behaviours, by id or number
      --family 4|6           one family only
      --temperature cold|warm
      --report <file.json>   every result with its evidence

Exit status: 0 when every behaviour passed, 1 when one failed, 2 for wrong usage.
`;

async function main(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      backend: { type: "string" },
      attach: { type: "string" },
      config: { type: "string", default: "{}" },
      plugin: { type: "string", multiple: true, default: [] },
      agent: { type: "string" },
      only: { type: "string", multiple: true, default: [] },
      family: { type: "string" },
      temperature: { type: "string" },
      report: { type: "string" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) {
    process.stdout.write(USAGE);
    return 0;
  }
  const [command] = positionals;
  if (command === "list") {
    process.stdout.write(`${behaviours.map(describe).join("\n\n")}\n`);
    return 0;
  }
  if (command === "sweep") {
    process.stdout.write(`${Lab.sweep().join("\n") || "nothing to sweep"}\n`);
    return 0;
  }
  if (command !== "run" || values.backend === undefined) throw new LabError("ERR_SUITE_USAGE", USAGE);
  const startedAt = new Date();
  const backendConfig = {
    ...JSON.parse(values.config),
    ...(values.attach === undefined ? {} : { attach: values.attach }),
  };
  const results = await runSuite({
    backend: values.backend,
    backendConfig,
    plugins: values.plugin,
    behaviours: chosen(values.only.flatMap((list) => list.split(","))),
    ...(values.agent === undefined ? {} : { agentCommand: values.agent.split(" ") }),
    ...(values.family === undefined ? {} : { families: [family(values.family)] }),
    ...(values.temperature === undefined ? {} : { temperatures: [temperature(values.temperature)] }),
    onResult: (result) => process.stdout.write(`${renderResult(result)}\n`),
  });
  const report = buildReport(values.backend, backendConfig, startedAt, results);
  if (values.report !== undefined) writeFileSync(values.report, `${JSON.stringify(report, undefined, 2)}\n`);
  process.stdout.write(`\n${renderTable(results)}\n\n`);
  process.stdout.write(
    `${values.backend} ${JSON.stringify(backendConfig)}, Linux ${report.kernel}, ${report.seconds} s\n`,
  );
  process.stdout.write(`conformance: ${report.passed} passed, ${report.failed} failed\n`);
  return report.failed === 0 && results.length > 0 ? 0 : 1;
}

const describe = ({ id, number, title, given, when, outcome }: Behaviour): string =>
  `${number ?? "x"}. ${id}: ${title}\n   Given ${given}\n   When  ${when}\n   Then  ${outcome}`;

function chosen(only: readonly string[]): readonly Behaviour[] {
  const unknown = only.find((name) => !behaviours.some((behaviour) => named(behaviour, name)));
  if (unknown !== undefined)
    throw new LabError("ERR_SUITE_USAGE", `there is no behaviour ${unknown}; see the command list`);
  return only.length === 0 ? behaviours : behaviours.filter((behaviour) => only.some((name) => named(behaviour, name)));
}

const named = ({ id, number }: Behaviour, name: string): boolean => id === name || String(number) === name;

function family(text: string): Family {
  if (text === "4") return 4;
  if (text === "6") return 6;
  throw new LabError("ERR_SUITE_USAGE", `--family is 4 or 6, not ${text}`);
}

function temperature(text: string): Temperature {
  if (text === "cold" || text === "warm") return text;
  throw new LabError("ERR_SUITE_USAGE", `--temperature is cold or warm, not ${text}`);
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  const usage = error instanceof LabError && error.code === "ERR_SUITE_USAGE";
  const parsing = (error as NodeJS.ErrnoException).code?.startsWith("ERR_PARSE_ARGS") === true;
  process.stderr.write(`${usage || parsing ? (error as Error).message : ((error as Error).stack ?? error)}\n`);
  process.exitCode = usage || parsing ? 2 : 1;
}
