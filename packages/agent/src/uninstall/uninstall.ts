import { destination } from "pino";
import { loadBackends } from "../backends/backends.ts";
import { UsedBackends } from "../backends/used-backends.ts";
import type { Setup } from "../cli/settings-options.ts";
import { lockNode } from "../daemon/single-instance.ts";
import { createLogger, type Logger } from "../logging/logger.ts";
import { completeNoted } from "../proof/snapshot-file.ts";
import type { Verification } from "../proof/verification.ts";
import { verifyClean } from "../proof/verify-clean.ts";
import { Ledger, type Removal } from "./removal.ts";
import { lockInstall, removeCniInstall } from "./remove-cni-install.ts";
import { removeFiles, removeRunDirectory } from "./remove-files.ts";
import { removeRedirections } from "./remove-redirection.ts";
import { removeRouting } from "./remove-routing.ts";
import { removeShadows } from "./remove-shadows.ts";
import { removeSnapshotOf } from "./remove-snapshot.ts";

export interface UninstallOptions {
  /** The event log too. */
  readonly purge: boolean;
  /** Not the CNI plugin: CRI-O ends pods by it that have begun with it. */
  readonly keepCniPlugin: boolean;
  /** Look for whatever is left, and compare with the node as it was. Default: no. */
  readonly verify?: boolean;
  readonly signal: AbortSignal;
  /** Default: warnings, as text, on standard error. */
  readonly log?: Logger;
}

/**
 * Removes everything of Millrace from this node and looks again. Holds the node's locks meanwhile, so that no agent starts half way,
 * and the installer's. Throws as {@link lockNode}, `ERR_INSTALLER_RUNNING`, and for mistakes of configuration; what could not be removed is told in the result.
 */
export async function uninstall(
  setup: Setup,
  { purge, keepCniPlugin, verify = false, signal, log = standardErrorLog() }: UninstallOptions,
): Promise<Removal> {
  const { configuration } = setup;
  const backends = await loadBackends(setup, log, signal);
  const ledger = new Ledger();
  const { sockets, paths } = configuration;
  using _only = await lockNode({ adminSocket: sockets.admin, journal: paths.journal });
  using _noInstaller = lockInstall(configuration);
  const noted = await completeNoted(configuration, log); // before anything is removed
  removeCniInstall(configuration, keepCniPlugin, log, ledger);
  await removeShadows(backends, ledger);
  await removeRedirections(backends, new UsedBackends(paths.journal), ledger);
  await removeRouting(ledger);
  removeFiles(configuration, { purge, keepCniPlugin }, ledger);
  removeRunDirectory(configuration, ledger);
  const verification: Verification | undefined = verify
    ? await verifyClean(setup, { noted, keepCniPlugin, signal, log })
    : undefined;
  removeSnapshotOf(configuration, ledger, verification);
  const { removed, left, kept, unseen } = ledger;
  return { removed, left, kept, unseen, ...(verification && { verification }) };
}

const standardErrorLog = (): Logger =>
  createLogger({ format: "text", level: "warn", output: destination({ fd: 2, sync: true }) });
