import { Command } from "commander";
import { EXIT } from "../../exit-codes.ts";
import { addHelp } from "../help.ts";
import type { Io } from "../output.ts";
import type { Finish } from "../program.ts";
import { addSettings, setupOf } from "../settings-options.ts";

export function agentCommand(io: Io, finish: Finish): Command {
  const command = new Command("agent")
    .summary("run the agent of this node")
    .description(
      "Runs the agent of this node in the foreground, until SIGTERM or SIGINT. Stopping it leaves the redirection in place: " +
        "the next agent takes it over without losing a packet. `millrace uninstall` removes it; so does an agent that is told to " +
        "stop when its DaemonSet (kubernetes.daemonSet) is gone.\n\n" +
        "What cannot get better by waiting (configuration, no capable backend, another agent) ends the agent with a code of its " +
        "own; what may (a kernel that is busy) is tried again with growing pauses, up to 30 seconds.",
    );
  addSettings(command).action(async (options: { debug?: boolean }) => {
    const { signal } = io; // from here on, for what follows must not be left half done
    const setup = setupOf(command, io);
    const { runAgent } = await import("../../daemon/run-agent.ts");
    await runAgent(setup, { signal, stacks: options.debug === true });
    finish(EXIT.ok);
  });
  return addHelp(command, [
    ["millrace agent", "as /etc/millrace/config.yaml says, JSON logs"],
    ["millrace agent --redirect-mode ebpf --log-format text", "one backend only, logs for people"],
    ["MILLRACE_NODE_NAME=n1 millrace agent", "settings from the environment"],
  ]);
}
