import { Command } from "commander";
import { AdminClient } from "../../admin/admin-client.ts";
import { EXIT } from "../../exit-codes.ts";
import { renderShadow } from "../../shadow/render-shadow.ts";
import { addHelp } from "../help.ts";
import type { Io } from "../output.ts";
import type { Finish } from "../program.ts";
import { addSettings, setupOf } from "../settings-options.ts";

interface Options {
  readonly json?: boolean;
  readonly plan?: boolean;
}

export function shadowCommand(io: Io, finish: Finish): Command {
  const command = new Command("shadow")
    .summary("show what another backend would do on this node")
    .description(
      "Shows what the backend that `shadow` names would write here, what it counted that it would capture, drop or let by, and where that " +
        "differs from the backend that serves. Changes nothing. Needs a running agent.",
    )
    .option("--plan", "every object that it would write")
    .option("--json", "as JSON (stable)");
  addSettings(command, ["sockets.admin"]);
  command.action(async ({ json, plan = false }: Options) => {
    const document = await new AdminClient(setupOf(command, io).configuration.sockets.admin).shadow();
    await (json === true ? io.out.json(document) : io.out.write(renderShadow(document, io.out.palette, { plan })));
    finish(EXIT.ok);
  });
  return addHelp(command, [
    ["millrace shadow", "what would it capture, and what does the other one?"],
    ["millrace shadow --plan", "which rules, sets, routes, programs and map entries would there be?"],
    ["millrace shadow --json | jq .differences", "what does one capture and the other not?"],
  ]);
}
