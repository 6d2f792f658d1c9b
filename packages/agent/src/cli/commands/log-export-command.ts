import { Command } from "commander";
import { EXIT } from "../../exit-codes.ts";
import { addHelp } from "../help.ts";
import type { Io } from "../output.ts";
import type { Finish } from "../program.ts";
import { addSettings, setupOf } from "../settings-options.ts";

export function logExportCommand(io: Io, finish: Finish): Command {
  const command = new Command("export")
    .summary("write the log as one portable file")
    .description(
      "Prints the event log of this node as JSONL that `millrace replay` takes anywhere: a header, then one event per line. Reads the " +
        "file itself, so it works while no agent runs.",
    )
    .option(
      "--since <event|time|duration>",
      "begin with the snapshot before it: 1200, 2026-01-02T03:04:05Z, or 2h before the newest event",
    )
    .option(
      "--redact",
      "other names and addresses for those of the node, the same one everywhere; decisions stay what they were",
    );
  addSettings(command, ["eventLog.path"]);
  command.action(async ({ since, redact = false }: { since?: string; redact?: boolean }) => {
    const { path } = setupOf(command, io).configuration.eventLog;
    const { exportLog } = await import("../../event-log/export-log.ts");
    for (const line of exportLog(path, { redact, ...(since !== undefined && { since }) })) {
      await io.out.write(`${line}\n`);
      if (!io.out.open) break;
    }
    finish(EXIT.ok);
  });
  return addHelp(command, [
    ["millrace log export > node.jsonl", "everything"],
    ["millrace log export --since 2h --redact > incident.jsonl", "to show to somebody else"],
    ["millrace log export | ssh laptop millrace replay --verify /dev/stdin", "without a file"],
  ]);
}
