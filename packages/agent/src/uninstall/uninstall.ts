import { destination } from "pino";
import { loadBackends } from "../backends/backends.ts";
import { UsedBackends } from "../backends/used-backends.ts";
import type { Setup } from "../cli/settings-options.ts";
import { lockNode } from "../daemon/single-instance.ts";
import { createLogger, type Logger } from "../logging/logger.ts";
import { Ledger, type Removal } from "./removal.ts";
import { lockInstall, removeCniInstall } from "./remove-cni-install.ts";
import { removeFiles, removeRunDirectory } from "./remove-files.ts";
import { removeRedirections } from "./remove-redirection.ts";

export interface UninstallOptions {
  /** The event log too. */
  readonly purge: boolean;
  /** Not the CNI plugin: CRI-O ends pods by it that have begun with it. */
  readonly keepCniPlugin: boolean;
  readonly signal: AbortSignal;
  /** Default: warnings, as text, on standard error. */
  readonly log?: Logger;
}

/**
 * Removes everything of Millrace from this node and looks again. Holds the node's lock meanwhile, so that no agent starts half way,
 * and the installer's. Throws as {@link lockNode}, `ERR_INSTALLER_RUNNING`, and for mistakes of configuration; what could not be removed is told in the result.
 */
export async function uninstall(
  setup: Setup,
  { purge, keepCniPlugin, signal, log = standardErrorLog() }: UninstallOptions,
): Promise<Removal> {
  const { configuration } = setup;
  const backends = await loadBackends(setup, log, signal);
  const ledger = new Ledger();
  using _only = await lockNode(configuration.sockets.admin);
  using _noInstaller = lockInstall(configuration);
  removeCniInstall(configuration, keepCniPlugin, log, ledger);
  const { journal, bpffs } = configuration.paths;
  await removeRedirections(backends, new UsedBackends(journal), bpffs, ledger);
  removeFiles(configuration, { purge, keepCniPlugin }, ledger);
  removeRunDirectory(configuration, ledger);
  return ledger;
}

const standardErrorLog = (): Logger =>
  createLogger({ format: "text", level: "warn", output: destination({ fd: 2, sync: true }) });
