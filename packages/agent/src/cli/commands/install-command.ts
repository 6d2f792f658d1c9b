import { Command } from "commander";
import { EXIT } from "../../exit-codes.ts";
import { addHelp } from "../help.ts";
import type { Io } from "../output.ts";
import type { Finish } from "../program.ts";
import { addSettings, setupOf } from "../settings-options.ts";

export function installCommand(io: Io, finish: Finish): Command {
  const command = new Command("install")
    .summary("put the CNI plugin and its entry onto this node")
    .description(
      "Puts the CNI plugin where the runtime executes plugins from, and its entry into the network configuration that the runtime " +
        "uses: the first valid one. Every other byte of that file stays; what stood there before is noted, and `millrace uninstall` " +
        "puts it back. Safe to repeat.\n\n" +
        "With --watch it goes on until SIGTERM or SIGINT and keeps both as they are, whoever rewrites them; stopping it leaves them in " +
        "place. Where there is no network configuration yet, it waits for one.",
    )
    .option("-w, --watch", "go on, and keep it installed")
    .option("--json", "how things are, as JSON (stable); not with --watch, which logs");
  addSettings(command, [
    "failurePolicy",
    "membership.excludeNamespaces",
    "sockets.admin",
    "sockets.cni",
    "paths.journal",
    "cni.deadlineSeconds",
    "install.cniBinDir",
    "install.cniConfDir",
    "install.ownConfig",
    "install.pluginSource",
    "install.agentNamespace",
    "install.agentPodNamePrefix",
    "log.level",
    "log.format",
  ]);
  command.action(async ({ watch, json }: { watch?: boolean; json?: boolean }) => {
    const { signal } = io; // from here on, for what follows must not be left half done
    const { configuration } = setupOf(command, io);
    const { runInstallOnce, runInstallWatch } = await import("../../install/run-install.ts");
    if (watch === true) {
      const { createLogger } = await import("../../logging/logger.ts");
      await runInstallWatch(configuration, createLogger(configuration.log).child({ component: "install" }), signal);
      finish(EXIT.ok);
      return;
    }
    const { renderInstall } = await import("../../install/render-install.ts");
    const { silentLogger } = await import("@millrace/core/internal"); // what it would log is what is printed
    const state = await runInstallOnce(configuration, silentLogger, signal);
    await (json === true ? io.out.json(state) : io.out.write(renderInstall(state, io.out.palette)));
    finish(state.state === "installed" ? EXIT.ok : EXIT.unhealthy);
  });
  return addHelp(command, [
    ["millrace install --watch", "without an agent that does it (install.enabled)"],
    ["millrace install", "once; the exit code says whether it is installed"],
    ["millrace install --install-own-config true", "a network configuration of our own beside the primary's"],
  ]);
}
