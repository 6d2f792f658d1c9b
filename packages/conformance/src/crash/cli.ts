#!/usr/bin/env node
import { parseArgs } from "node:util";
import { LabError } from "../errors.ts";
import { CONDITIONS } from "./conditions.ts";
import { PAIRS } from "./operations.ts";
import { CrashReport } from "./report.ts";
import { crashVariant } from "./run.ts";
import { VARIANTS } from "./variants.ts";

/** What all that is no operation is called together. */
const CONDITIONS_NAME = "conditions";

const USAGE = `Usage: node packages/conformance/dist/crash/cli.js [options]

Kills the agent before and after each of its system calls that change something, starts it again, and compares the node with
what an undisturbed run leaves.

  --variant <name>[,…]    ${VARIANTS.map(({ name }) => name).join(", ")}; default: all
  --only <operation>[,…]  ${operations().join(", ")}; with each the one that takes it back;
                          ${CONDITIONS_NAME}: what else may go wrong around an agent; default: all
  --points <number>|all   of each operation, evenly spread; default 16
  --phase <0…1>           which of them; default 0.5
  --matching <text>       only points and conditions that have this in them, such as LINK_CREATE

Exit status: 0 when every point converged and nothing leaked, escaped, failed or broke, 1 when not, 2 for wrong usage.
`;

function operations(): string[] {
  return PAIRS.flatMap(({ there, back }) => [there.name, ...(back === undefined ? [] : [back.name])]);
}

async function main(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      variant: { type: "string", multiple: true, default: [] },
      only: { type: "string", multiple: true, default: [] },
      points: { type: "string", default: "16" },
      phase: { type: "string", default: "0.5" },
      matching: { type: "string" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) {
    process.stdout.write(USAGE);
    return 0;
  }
  const only = listed(values.only);
  const variants = named("variant", VARIANTS, listed(values.variant), ({ name }, wanted) => name === wanted);
  const isAsked = (name: string) => only.length === 0 || only.includes(name);
  const pairs = named(
    "operation",
    PAIRS,
    only.filter((name) => name !== CONDITIONS_NAME),
    ({ there, back }, wanted) => [there.name, back?.name].includes(wanted),
  ).filter(({ there, back }) => isAsked(there.name) || isAsked(back?.name ?? there.name));
  const conditions = isAsked(CONDITIONS_NAME)
    ? CONDITIONS.filter(({ name }) => name.includes(values.matching ?? ""))
    : [];
  const choice = {
    points: values.points === "all" ? undefined : number("--points", values.points, 1, Number.MAX_SAFE_INTEGER),
    phase: Math.min(number("--phase", values.phase, 0, 1), 0.999_999),
    matching: values.matching,
  };
  const report = new CrashReport((line) => process.stdout.write(`${line}\n`));
  for (const variant of variants) await crashVariant(variant, pairs, conditions, choice, report);
  return report.end() ? 0 : 1;
}

const listed = (lists: readonly string[]): string[] => lists.flatMap((list) => list.split(","));

function number(option: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (text !== "" && value >= least && value <= most) return value;
  throw new LabError("ERR_SUITE_USAGE", `${option} is a number from ${least} to ${most}, not ${text}`);
}

/** Those of the list that are asked for; all when none is. Throws ERR_SUITE_USAGE for a name that none has. */
function named<T>(
  what: string,
  all: readonly T[],
  names: readonly string[],
  is: (one: T, name: string) => boolean,
): readonly T[] {
  const unknown = names.find((name) => !all.some((one) => is(one, name)));
  if (unknown !== undefined) throw new LabError("ERR_SUITE_USAGE", `there is no ${what} ${unknown}\n\n${USAGE}`);
  return names.length === 0 ? all : all.filter((one) => names.some((name) => is(one, name)));
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  const isUsage = error instanceof LabError && error.code === "ERR_SUITE_USAGE";
  const isParsing = (error as NodeJS.ErrnoException).code?.startsWith("ERR_PARSE_ARGS") === true;
  process.stderr.write(`${isUsage || isParsing ? (error as Error).message : ((error as Error).stack ?? error)}\n`);
  process.exitCode = isUsage || isParsing ? 2 : 1;
}
