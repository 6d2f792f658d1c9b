import { setTimeout as sleep } from "node:timers/promises";
import { Command } from "commander";
import { AdminClient } from "../../admin/admin-client.ts";
import { renderStatus } from "../../status/render-status.ts";
import { verdict } from "../../status/verdict.ts";
import { addHelp } from "../help.ts";
import type { Io } from "../output.ts";
import type { Finish } from "../program.ts";
import { addSettings, setupOf } from "../settings-options.ts";

interface Options {
  readonly json?: boolean;
  readonly watch?: boolean;
  readonly observe?: boolean;
}

const WATCH_INTERVAL_MS = 2_000;
/** Home, then erase to the end: redraws without the flicker of erasing first (ECMA-48 CUP, ED). */
const REDRAW = "\u001b[H\u001b[J";

export function statusCommand(io: Io, finish: Finish): Command {
  const command = new Command("status")
    .summary("show what is enrolled, and whether the kernel agrees")
    .description(
      "Shows what the agent wants on this node and what the kernel was last seen to hold, with the time of that look. " +
        "A workload is `enrolled` only when its redirection was read back from the kernel, complete.",
    )
    .option("--json", "the status document as JSON (stable: statusVersion says when it changes)")
    .option("--watch", "again every two seconds, until interrupted")
    .option("--observe", "let the agent read the kernel first");
  addSettings(command, ["sockets.admin"]);
  command.action(async (options: Options) => {
    const client = new AdminClient(setupOf(command, io).configuration.sockets.admin);
    do {
      const status = options.observe === true ? await client.observe() : await client.status();
      if (options.json === true) {
        await io.out.write(`${JSON.stringify(status, undefined, options.watch === true ? undefined : 2)}\n`);
      } else {
        const redraw = options.watch === true && io.out.isTerminal ? REDRAW : "";
        await io.out.write(redraw + renderStatus(status, io.out.palette));
      }
      finish(verdict(status).exit);
    } while (options.watch === true && (await rest(io.signal)));
  });
  return addHelp(command, [
    ["millrace status", "the state of every workload"],
    ["millrace status --observe", "after reading the kernel again"],
    ["millrace status --json | jq '.workloads[] | select(.state != \"enrolled\")'", "what is not enrolled"],
  ]);
}

/** False when it was interrupted. */
async function rest(signal: AbortSignal): Promise<boolean> {
  try {
    await sleep(WATCH_INTERVAL_MS, undefined, { signal });
    return true;
  } catch (error) {
    if (signal.aborted) return false;
    throw error;
  }
}
