import { Command } from "commander";
import type { ExitCode } from "../exit-codes.ts";
import { VERSION } from "../version.ts";
import { agentCommand } from "./commands/agent-command.ts";
import { captureCommand } from "./commands/capture-command.ts";
import { doctorCommand } from "./commands/doctor-command.ts";
import { eventsCommand } from "./commands/events-command.ts";
import { explainCommand } from "./commands/explain-command.ts";
import { installCommand } from "./commands/install-command.ts";
import { logCommand } from "./commands/log-command.ts";
import { replayCommand } from "./commands/replay-command.ts";
import { shadowCommand } from "./commands/shadow-command.ts";
import { statusCommand } from "./commands/status-command.ts";
import { switchCommand } from "./commands/switch-command.ts";
import { uninstallCommand } from "./commands/uninstall-command.ts";
import { verifyCleanCommand } from "./commands/verify-clean-command.ts";
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
    // What follows a command is that command's: `log export --since` is not `log --since`.
    .enablePositionalOptions()
    .showHelpAfterError("(add --help for what there is)");
  const commands = [
    agentCommand(io, finish),
    doctorCommand(io, finish),
    statusCommand(io, finish),
    explainCommand(io, finish),
    eventsCommand(io, finish),
    captureCommand(io, finish),
    logCommand(io, finish),
    replayCommand(io, finish),
    switchCommand(io, finish),
    shadowCommand(io, finish),
    installCommand(io, finish),
    uninstallCommand(io, finish),
    verifyCleanCommand(io, finish),
    versionCommand(io, finish),
  ];
  for (const command of commands) program.addCommand(command);
  const all = commands.flatMap((command) => [command, ...command.commands]);
  for (const command of all) command.option("--debug", "print the stack of an error");
  addHelp(program, [
    ["millrace doctor", "can this host redirect, and by which backend?"],
    ["millrace agent --log-format text", "run the agent in the foreground"],
    ["millrace status", "what is enrolled, and does the kernel agree?"],
    ["millrace explain shop/web --to 198.18.0.1:443", "where would this connection go, and why?"],
    ["millrace log --follow", "watch events and decisions as they happen"],
    ["millrace uninstall --verify", "leave nothing behind, and prove it"],
  ]);
  // Subcommands do not take these over from their parent by themselves.
  for (const command of [program, ...all]) {
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
