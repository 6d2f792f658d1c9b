import { Command } from "commander";
import { EXIT } from "../../exit-codes.ts";
import { isClean } from "../../proof/verification.ts";
import { addHelp } from "../help.ts";
import type { Io } from "../output.ts";
import type { Finish } from "../program.ts";
import { addSettings, setupOf } from "../settings-options.ts";

export function uninstallCommand(io: Io, finish: Finish): Command {
  const command = new Command("uninstall")
    .summary("remove every trace of Millrace from this node")
    .description(
      "Removes every trace of Millrace from this node: the CNI plugin and its entry in the network configuration, programs, maps, " +
        "pins, routes and rules, changed settings, sockets and the ambient config file. Traffic of members passes unproxied from then on. Prints what it removed, looks again, and says so if " +
        "anything is left. Safe to repeat. Refuses while an agent or an installer runs, which would put everything back: stop it first.",
    )
    .option("--purge", "remove the event log as well")
    .option("--keep-cni-plugin", "leave the CNI plugin: CRI-O ends pods by it that have begun with it")
    .option(
      "--verify",
      "look for whatever is left, compared with the node as it was before Millrace; status 1 if anything is",
    )
    .option("--json", "what was removed and what is left, as JSON");
  addSettings(command, [
    "redirectMode",
    "sockets.admin",
    "sockets.cni",
    "eventLog.path",
    "paths.bpffs",
    "paths.journal",
    "paths.ambientConfig",
    "install.cniBinDir",
    "install.cniConfDir",
    "plugins",
  ]);
  command.action(
    async ({
      purge,
      keepCniPlugin,
      verify,
      json,
    }: {
      purge?: boolean;
      keepCniPlugin?: boolean;
      verify?: boolean;
      json?: boolean;
    }) => {
      const { signal } = io; // from here on, for what follows must not be left half done
      const setup = setupOf(command, io);
      const { uninstall } = await import("../../uninstall/uninstall.ts");
      const { renderRemoval } = await import("../../uninstall/render-removal.ts");
      const removal = await uninstall(setup, {
        purge: purge === true,
        keepCniPlugin: keepCniPlugin === true,
        verify: verify === true,
        signal,
      });
      await (json === true ? io.out.json(removal) : io.out.write(renderRemoval(removal, io.out.palette)));
      const { left, verification } = removal;
      if (verification !== undefined && !isClean(verification)) finish(EXIT.notClean);
      else finish(left.length === 0 ? EXIT.ok : EXIT.unhealthy);
    },
  );
  return addHelp(command, [
    ["millrace uninstall", "leave nothing but the event log"],
    ["millrace uninstall --purge", "leave nothing"],
    ["millrace uninstall --verify", "and prove it"],
    ["millrace uninstall --keep-cni-plugin", "on a node with CRI-O; once more without it when its pods are gone"],
  ]);
}
