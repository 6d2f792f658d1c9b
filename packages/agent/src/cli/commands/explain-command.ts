import { Command } from "commander";
import { AdminClient } from "../../admin/admin-client.ts";
import { EXIT } from "../../exit-codes.ts";
import { flowQuery } from "../../explain/flow-query.ts";
import { renderExplanation } from "../../explain/render-explanation.ts";
import { addHelp } from "../help.ts";
import type { Io } from "../output.ts";
import type { Finish } from "../program.ts";
import { addSettings, setupOf } from "../settings-options.ts";

interface Options {
  readonly to?: string;
  readonly from?: string;
  readonly udp?: boolean;
  readonly json?: boolean;
}

export function explainCommand(io: Io, finish: Finish): Command {
  const command = new Command("explain")
    .summary("say why a pod is redirected or not, and what becomes of a connection")
    .description(
      "Says why a pod of this node is redirected or not, and by which events; and, for a new connection, which program, rule, map entry " +
        "and route decide what becomes of it, as the kernel has them now. Changes nothing. Needs a running agent.",
    )
    .argument("<pod>", "namespace/name, or the pod's uid")
    .option("--to <address:port>", "a connection that the pod opens")
    .option("--from <address:port>", "a connection from that address to that port of the pod")
    .option("--udp", "a datagram instead of a TCP connection")
    .option("--json", "as JSON (stable)");
  addSettings(command, ["sockets.admin", "eventLog.path"]);
  command.action(async (pod: string, { json, ...options }: Options) => {
    const flow = flowQuery(options);
    const { configuration } = setupOf(command, io);
    const document = await new AdminClient(configuration.sockets.admin).explain({ pod, flow });
    const { lastEvents } = await import("../../explain/last-events.ts");
    const last = lastEvents(configuration.eventLog.path, document.subjects);
    const { out } = io;
    await (json === true
      ? out.json({ ...document, ...last })
      : out.write(renderExplanation(document, last, out.palette)));
    finish(EXIT.ok);
  });
  return addHelp(command, [
    ["millrace explain shop/web", "why is it a member, or not?"],
    ["millrace explain shop/web --to 198.18.0.1:443", "where would this connection go, and why?"],
    ["millrace explain shop/web --from 198.18.0.2:8080", "and one from there to its port 8080?"],
    ["millrace explain shop/web --to 198.18.0.3:53 --udp", "and a question to this nameserver?"],
  ]);
}
