import { Command, InvalidArgumentError, Option } from "commander";
import { EXIT } from "../../exit-codes.ts";
import { addHelp } from "../help.ts";
import type { Io } from "../output.ts";
import type { Finish } from "../program.ts";
import { addSettings, setupOf } from "../settings-options.ts";

interface Options {
  readonly verify?: boolean;
  readonly diff?: boolean;
  readonly accept?: boolean;
  readonly until?: number;
  readonly step?: boolean;
  readonly pod?: string;
  readonly json?: boolean;
}

function eventNumber(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError("It must be the number of an event.");
  return Number(text);
}

const ALONE = ["verify", "diff", "accept", "until", "step"];

export function replayCommand(io: Io, finish: Finish): Command {
  const mode = (flags: string, description: string) => {
    const option = new Option(flags, description);
    return option.conflicts(ALONE.filter((other) => other !== option.attributeName()));
  };
  const command = new Command("replay")
    .summary("tell a recorded run again, and compare its decisions")
    .description(
      "Feeds the recorded inputs of event logs to this version's decisions and tells what was known, decided and done, and how long it " +
        "took; several logs are told as one, by time. Recorded decisions are compared and never used. Takes what `millrace log export` " +
        "wrote, or a copy of an agent's log; without a file, the log of this node. Touches nothing and needs nothing: no root, no cluster.",
    )
    .argument("[file...]", "logs to replay")
    .addOption(mode("--verify", "only compare, byte for byte; ends at the first difference and names it"))
    .addOption(
      mode("--diff", "only tell every place where today's decisions, or state, are not those that were recorded"),
    )
    .addOption(mode("--accept", "as --diff, and record today's decisions in the file"))
    .addOption(mode("--until <seq>", "the state after this event").argParser(eventNumber))
    .addOption(mode("--step", "interactively, a turn at a time, forwards and back"))
    .option("--pod <pod>", "only about this pod: name, namespace/name, UID or its first 8 characters")
    .addOption(new Option("--json", "one JSON object per line instead of text").conflicts(["step", "accept"]));
  addSettings(command, ["eventLog.path"]);
  command.action(async (files: readonly string[], options: Options) => {
    const paths = files.length > 0 ? files : [setupOf(command, io).configuration.eventLog.path];
    const [path = "", ...more] = paths;
    const single = ALONE.slice(2).find((name) => name in options);
    if (single !== undefined && more.length > 0) command.error(`error: --${single} takes one log`);
    const modes = await import("../../replay/modes.ts");
    const same = options.verify
      ? await modes.verifyLogs(paths, io, options.json === true)
      : options.diff
        ? await modes.diffLogs(paths, io, options)
        : options.accept
          ? await modes.accept(path, io)
          : options.until !== undefined
            ? await modes.showState(path, options.until, io, options)
            : options.step
              ? await modes.stepThrough(path, io)
              : await modes.tellStory(paths, io, options);
    finish(same ? EXIT.ok : EXIT.differs);
  });
  return addHelp(command, [
    ["millrace replay", "what happened on this node"],
    ["millrace replay incident.jsonl --pod shop/web-1", "one pod's story"],
    ["millrace replay n1.jsonl n2.jsonl", "two nodes' stories, as one"],
    ["millrace replay incident.jsonl --until 120", "what was known, wanted and done by then"],
    ["millrace replay incident.jsonl --step", "look for yourself"],
    ["millrace replay --verify events.db", "does a copied log give the same decisions?"],
    ["millrace replay --diff incident.jsonl", "what would this version have done otherwise?"],
  ]);
}
