import { existsSync } from "node:fs";
import { EventLogReader, replay } from "@millrace/core";
import { Command } from "commander";
import { AgentError } from "../../errors.ts";
import { renderReplay } from "../../event-log/render-replay.ts";
import { EXIT } from "../../exit-codes.ts";
import { addHelp } from "../help.ts";
import type { Io } from "../output.ts";
import type { Finish } from "../program.ts";
import { addSettings, setupOf } from "../settings-options.ts";

export function replayCommand(io: Io, finish: Finish): Command {
  const command = new Command("replay")
    .summary("decide a recorded log again and compare")
    .description(
      "Feeds the recorded inputs of an event log to this version's decisions and compares what it decides with what was recorded, " +
        "byte for byte. Touches nothing; works on a copy from another node. A difference means that this version would have acted " +
        "otherwise, or that the log is not what the agent wrote.",
    )
    .option("--json", "inputs, intents, divergences and skipped stretches as JSON");
  addSettings(command, ["eventLog.path"]);
  command.action(async ({ json }: { json?: boolean }) => {
    const { path } = setupOf(command, io).configuration.eventLog;
    if (!existsSync(path)) throw new AgentError("ERR_NO_EVENT_LOG", `there is no event log at ${path}`);
    using reader = EventLogReader.open(path);
    const found = replay(reader.read());
    const { inputs, intents, divergences, skipped } = found;
    await (json === true
      ? io.out.json({ inputs, intents, divergences, skipped })
      : io.out.write(renderReplay(found, io.out.palette)));
    finish(divergences.length === 0 ? EXIT.ok : EXIT.unhealthy);
  });
  return addHelp(command, [
    ["millrace replay", "does this node's log give the same decisions?"],
    ["millrace replay --event-log-path ./events.db", "a log that was copied from a node"],
  ]);
}
