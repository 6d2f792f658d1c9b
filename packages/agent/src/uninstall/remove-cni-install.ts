import { dirname } from "node:path";
import { lockInstaller, readInstallState, uninstallCni } from "@millrace/cni-install";
import type { Configuration } from "@millrace/core/internal";
import { find } from "../daemon/stale-socket.ts";
import { installLockPath, installStatePath } from "../install/install-places.ts";
import type { Logger } from "../logging/logger.ts";
import type { Ledger } from "./removal.ts";

/** Makes sure that no installer runs, which would put everything back. Throws `ERR_INSTALLER_RUNNING`. */
export const lockInstall = (configuration: Configuration): Disposable => lockInstaller(installLockPath(configuration));

/**
 * Takes the CNI plugin and its entry away. First of all: as long as a runtime executes the plugin, it asks an agent that is not there.
 * The caller holds the installer's lock.
 */
export function removeCniInstall(configuration: Configuration, keepPlugin: boolean, log: Logger, ledger: Ledger): void {
  const { install, paths } = configuration;
  ledger.attempt(`CNI plugin and its entry below ${dirname(install.cniConfDir)}`, () => {
    const { cniConfDir, cniBinDir } = install;
    const { removed, left, kept } = uninstallCni({ cniConfDir, cniBinDir, journal: paths.journal, log, keepPlugin });
    ledger.removed.push(...removed);
    ledger.kept.push(...kept);
    ledger.left.push(...left);
  });
  const path = installStatePath(configuration);
  ledger.attempt(`state of the installation ${path}`, () => {
    if (find(path).kind === "nothing") return;
    readInstallState(path); // what is no state is not ours, and throws
    ledger.remove("state of the installation", path);
  });
}
