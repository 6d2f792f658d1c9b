import { dirname, join } from "node:path";
import { type InstallerOptions, pluginEntry } from "@millrace/cni-install";
import type { Configuration, Logger } from "@millrace/core/internal";

/** Beside the admin socket, as the agent's own lock: gone after a reboot, and in a directory that agent and installer share. */
const beside = ({ sockets }: Configuration, name: string): string => join(dirname(sockets.admin), name);

/** Where the installer says how things are; the agent's readiness and `millrace doctor` read it. */
export const installStatePath = (configuration: Configuration): string => beside(configuration, "install.json");

/** Held by the one installer of the node. */
export const installLockPath = (configuration: Configuration): string => beside(configuration, "install.lock");

export function installerOptions(configuration: Configuration, log: Logger): InstallerOptions {
  const { cniConfDir, cniBinDir, pluginSource, ownConfig } = configuration.install;
  return {
    cniConfDir,
    cniBinDir,
    pluginSource,
    ownConfig,
    entry: pluginEntry(configuration),
    journal: configuration.paths.journal,
    stateFile: installStatePath(configuration),
    log,
  };
}
