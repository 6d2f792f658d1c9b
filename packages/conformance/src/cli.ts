#!/usr/bin/env node
import { behaviours } from "./behaviours/index.ts";
import { parseCommandLine } from "./cli/arguments.ts";
import { down } from "./cli/down.ts";
import { exitStatus } from "./cli/exit-status.ts";
import { runCommand } from "./cli/run-command.ts";
import { runKept } from "./cli/run-kept.ts";
import { tableOf } from "./cli/table.ts";
import { USAGE } from "./cli/usage.ts";
import { LabError } from "./errors.ts";
import { Lab } from "./lab/lab.ts";
import type { Behaviour } from "./suite/behaviour.ts";

async function main(args: readonly string[]): Promise<number> {
  const line = parseCommandLine(args);
  const [command, ...rest] = line.positionals;
  if (line.values.help) return print(USAGE);
  if (command === "list") return print(`${behaviours.map(describe).join("\n\n")}\n`);
  if (command === "sweep") return print(`${Lab.sweep().join("\n") || "nothing to sweep"}\n`);
  if (command === "down") return print(`${(await down(rest)).join("\n") || "no lab is kept"}\n`);
  if (command === "table" && rest.length > 0) return print(tableOf(rest));
  if (command !== "run" || rest.length > 0) throw new LabError("ERR_SUITE_USAGE", USAGE);
  return line.values.keep ? runKept(args) : (await runCommand(line)).status;
}

function print(text: string): number {
  process.stdout.write(text);
  return 0;
}

const describe = ({ id, number, title, given, when, outcome }: Behaviour): string =>
  `${number ?? "x"}. ${id}: ${title}\n   Given ${given}\n   When  ${when}\n   Then  ${outcome}`;

process.exitCode = await exitStatus(() => main(process.argv.slice(2)));
