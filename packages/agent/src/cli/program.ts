import { Command } from "commander";
import type { ExitCode } from "../exit-codes.ts";
import { VERSION } from "../version.ts";
import { agentCommand } from "./commands/agent-command.ts";
import { doctorCommand } from "./commands/doctor-command.ts";
import { installCommand } from "./commands/install-command.ts";
import { logCommand } from "./commands/log-command.ts";
import { replayCommand } from "./commands/replay-command.ts";
import { statusCommand } from "./commands/status-command.ts";
import { uninstallCommand } from "./commands/uninstall-command.ts";
import { versionCommand } from "./commands/version-command.ts";
import { addHelp } from "./help.ts";
import type { Io } from "./output.ts";

/** Gives a command its way to say how it went. */
export type Finish = (code: ExitCode) => void;

/** The whole command line. `finish` is called by the command that ran, with its exit code. */
export function buildProgram(io: Io, finish: Finish): Command {
  const program = new Command("millrace")
    .description("Steers the traffic of a node's pods through the node's proxy, and brings it back.")
    .version(VERSION, "-V, --version", "print the version")
    .helpCommand("help [command]", "tell about a command")
    .showHelpAfterError("(add --help for what there is)");
  const commands = [
    agentCommand(io, finish),
    doctorCommand(io, finish),
    statusCommand(io, finish),
    logCommand(io, finish),
    replayCommand(io, finish),
    installCommand(io, finish),
    uninstallCommand(io, finish),
    versionCommand(io, finish),
  ];
  for (const command of commands) program.addCommand(command.option("--debug", "print the stack of an error"));
  addHelp(program, [
    ["millrace doctor", "can this host redirect, and by which backend?"],
    ["millrace agent --log-format text", "run the agent in the foreground"],
    ["millrace status", "what is enrolled, and does the kernel agree?"],
    ["millrace log --follow", "watch events and decisions as they happen"],
    ["millrace uninstall", "leave nothing behind"],
  ]);
  // Subcommands do not take these over from their parent by themselves.
  for (const command of [program, ...commands]) {
    command
      .exitOverride()
      .configureOutput({
        writeOut: (text: string) => void io.out.write(text),
        writeErr: (text: string) => void io.err.write(text),
        getOutHasColors: () => false,
        getErrHasColors: () => false,
        outputError: (text: string, write: (text: string) => void) =>
          write(text.replace(/^error: /, "error ERR_USAGE: ")),
      })
      .showHelpAfterError("(add --help for what there is)");
  }
  return program;
}
