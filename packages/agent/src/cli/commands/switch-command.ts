import { setTimeout as sleep } from "node:timers/promises";
import { Command } from "commander";
import { AdminClient } from "../../admin/admin-client.ts";
import { AgentError } from "../../errors.ts";
import { EXIT } from "../../exit-codes.ts";
import { renderDryRun, requirePossible } from "../../shadow/dry-run.ts";
import type { SwitchStatus } from "../../status/switch-document.ts";
import { addHelp } from "../help.ts";
import type { Io } from "../output.ts";
import type { Finish } from "../program.ts";
import { addSettings, setupOf } from "../settings-options.ts";

interface Options {
  readonly pod?: readonly string[];
  readonly dryRun?: boolean;
  readonly wait: boolean;
}

const POLL_MS = 500;

export function switchCommand(io: Io, finish: Finish): Command {
  const command = new Command("switch")
    .summary("move this node, or some of its pods, to another backend while it runs")
    .description(
      "Moves workload by workload: the new backend joins, what is open is handed over, the old one lets go. Connections go on. A step that fails " +
        "again and again turns the switch. It lasts until the configuration's redirectMode is changed.",
    )
    .argument("<backend>", "ebpf, iptables, or a plugin's name")
    .option("--pod <namespace/name...>", "only these pods; the others stay, and both backends are there")
    .option(
      "--dry-run",
      "only tell what would be done for each pod, what that backend lacks here, and what it would refuse",
    )
    .option("--no-wait", "do not wait until it is done");
  addSettings(command, ["sockets.admin"]);
  command.action(async (to: string, { pod, dryRun = false, wait }: Options) => {
    const client = new AdminClient(setupOf(command, io).configuration.sockets.admin);
    const answer = await client.switchTo({ to, ...(pod !== undefined && { pods: [...pod] }), dryRun });
    await io.out.write(`${answer.from} -> ${answer.to}: ${answer.summary}\n`);
    if (answer.steps.length === 0) await io.out.write("nothing to do\n");
    if (dryRun) {
      await io.out.write(renderDryRun(answer));
      requirePossible(answer);
    }
    if (dryRun || !wait || answer.steps.length === 0) return finish(EXIT.ok);
    let last = "";
    for (;;) {
      const { switch: status } = await client.status();
      const line = progress(status);
      if (line !== last) await io.out.write(`${line}\n`);
      last = line;
      if (status === undefined || isOver(status)) {
        if (status?.failure !== undefined)
          throw new AgentError("ERR_SWITCH_FAILED", `switch to ${to}: ${status.failure}`);
        return finish(EXIT.ok);
      }
      await sleep(POLL_MS, undefined, { signal: io.signal });
    }
  });
  return addHelp(command, [
    ["millrace switch iptables --dry-run", "what would be done?"],
    ["millrace switch iptables", "move the node, and wait"],
    ["millrace switch ebpf --pod shop/web", "move one pod, and leave the others"],
  ]);
}

/** Of single pods it is over when they are there: the node keeps both backends. */
const isOver = ({ state, remaining, isPartial }: SwitchStatus): boolean =>
  state === "done" || (isPartial === true && remaining === 0);

function progress(status: SwitchStatus | undefined): string {
  if (status === undefined || status.state === "done") return "done";
  return `${status.from} -> ${status.to}: ${status.moved} moved, ${status.remaining} to go`;
}
