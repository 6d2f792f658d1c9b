import type { Command } from "commander";
import { EXIT_MEANINGS } from "../exit-codes.ts";

/** One command line and what it is for. */
export type Example = readonly [command: string, meaning: string];

const exitCodes = EXIT_MEANINGS.map(([code, meaning]) => `  ${code}  ${meaning}`).join("\n");

/** Puts examples and the exit codes under a command's help. */
export function addHelp(command: Command, examples: readonly Example[]): Command {
  const width = Math.max(...examples.map(([line]) => line.length));
  const lines = examples.map(([line, meaning]) => `  ${line.padEnd(width)}  ${meaning}`).join("\n");
  return command.addHelpText("after", `\nExamples:\n${lines}\n\nExit codes:\n${exitCodes}`);
}
