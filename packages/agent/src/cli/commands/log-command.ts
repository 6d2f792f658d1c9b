import { eventTypes } from "@millrace/core/internal";
import { Command, InvalidArgumentError, Option } from "commander";
import { eventLine } from "../../event-log/event-line.ts";
import { EXIT } from "../../exit-codes.ts";
import { addHelp } from "../help.ts";
import type { Io } from "../output.ts";
import type { Finish } from "../program.ts";
import { addSettings, setupOf } from "../settings-options.ts";
import { logExportCommand } from "./log-export-command.ts";

interface Options {
  readonly follow?: boolean;
  readonly jsonl?: boolean;
  readonly since?: number;
  readonly type?: readonly string[];
  readonly subject?: string;
  readonly pod?: string;
  readonly limit?: number;
}

function wholeNumber(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError("It must be a whole number.");
  return Number(text);
}

export function logCommand(io: Io, finish: Finish): Command {
  const command = new Command("log")
    .summary("print the event log")
    .description(
      "Prints the event log of this node: what the agent saw, decided and did, in order. Reads the file itself, so it works " +
        "while no agent runs, and on a copy from another node.",
    )
    .option("-f, --follow", "go on as events happen, until interrupted")
    .option("--jsonl", "one JSON object per line, as recorded")
    .addOption(new Option("--since <seq>", "only events after this number").argParser(wholeNumber))
    .addOption(new Option("--type <type...>", "only these types").choices(eventTypes))
    .option("--subject <subject>", "only about this subject (workload/<uid>), or this kind of subject (workload)")
    .option("--pod <pod>", "only about this pod: name, namespace/name, UID or its first 8 characters")
    .addOption(new Option("-n, --limit <count>", "only the newest so many").argParser(wholeNumber));
  addSettings(command, ["eventLog.path"]);
  command.action(async (options: Options) => {
    const { path } = setupOf(command, io).configuration.eventLog;
    const { readEvents } = await import("../../event-log/read-events.ts");
    const { follow = false, since, type: types, subject, pod, limit } = options;
    const query = {
      ...(since !== undefined && { since }),
      ...(types !== undefined && { types }),
      ...(subject !== undefined && { subject }),
      ...(pod !== undefined && { pod }),
    };
    const how = { ...(follow && { follow: io.signal }), ...(limit !== undefined && { limit }) };
    for await (const event of readEvents(path, { query, ...how })) {
      await io.out.write(options.jsonl === true ? `${JSON.stringify(event)}\n` : eventLine(event, io.out.palette));
      if (!io.out.open) break;
    }
    finish(EXIT.ok);
  });
  command.enablePositionalOptions().addCommand(logExportCommand(io, finish));
  return addHelp(command, [
    ["millrace log --limit 20", "the newest 20 events"],
    ["millrace log --follow --pod shop/web-1", "one pod, as it happens"],
    ["millrace log --type redirection.failed drift.found", "what went wrong"],
    ["millrace log export > node.jsonl", "for a replay elsewhere"],
  ]);
}
