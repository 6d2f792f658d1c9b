import { Command } from "commander";
import { AdminClient } from "../../admin/admin-client.ts";
import { EXIT } from "../../exit-codes.ts";
import { addHelp } from "../help.ts";
import type { Io } from "../output.ts";
import type { Finish } from "../program.ts";
import { addSettings, setupOf } from "../settings-options.ts";

interface Options {
  readonly pod?: string;
  readonly verdict?: readonly string[];
  readonly connections: boolean;
  readonly jsonl?: boolean;
}

export function eventsCommand(io: Io, finish: Finish): Command {
  const command = new Command("events")
    .summary("watch what the eBPF programs drop, refuse and capture")
    .description(
      "Prints each packet that the eBPF programs of this node drop or refuse, and the first one of each connection that they capture, as it " +
        "happens and until interrupted. They tell of none while nobody asks. What comes faster than it is read is counted and said. " +
        "Names of pods need a running agent.",
    )
    .option("--pod <namespace/name>", "only from or to this pod")
    .option("--verdict <verdict...>", "only these, as in the metric millrace_packets_total")
    .option("--no-connections", "only what was dropped or refused")
    .option("--jsonl", "one JSON object per line (stable)");
  addSettings(command, ["sockets.admin", "paths.bpffs"]);
  command.action(async ({ pod, verdict, connections, jsonl }: Options) => {
    const { configuration } = setupOf(command, io);
    // Loaded here and not above: the native parts must not keep `--help` from working.
    const { watchEvents } = await import("../../data-path-events/watch-events.ts");
    await watchEvents({
      io,
      configuration,
      client: new AdminClient(configuration.sockets.admin),
      filter: { ...(pod !== undefined && { pod }), ...(verdict !== undefined && { verdicts: verdict }) },
      connections,
      jsonl: jsonl === true,
    });
    finish(EXIT.ok);
  });
  return addHelp(command, [
    ["millrace events", "everything, as it happens"],
    ["millrace events --pod shop/web --no-connections", "why do packets of this pod get lost?"],
    ["millrace events --verdict dropped_no_listener dropped_no_proxy", "is it the proxy?"],
    ["millrace events --jsonl | jq .verdict", "for scripts"],
  ]);
}
