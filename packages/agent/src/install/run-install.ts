import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { type InstallState, installOnce, lockInstaller, watchInstallation } from "@millrace/cni-install";
import { type Configuration, errorCode, type Logger } from "@millrace/core/internal";
import { keepSnapshot } from "../proof/snapshot-file.ts";
import { installerOptions, installLockPath } from "./install-places.ts";

/** Between two tries to become the node's installer. */
const LOCK_RETRY_MS = 1000;

/** Looks once, and says what came of it. Throws `ERR_INSTALLER_RUNNING`. */
export async function runInstallOnce(
  configuration: Configuration,
  log: Logger,
  signal: AbortSignal,
): Promise<InstallState> {
  using _only = lockInstaller(installLockPath(configuration));
  await keepSnapshot(configuration, log);
  return await installOnce(installerOptions(configuration, log), signal);
}

/**
 * Installs and keeps it so until told to stop; everything stays then, for the next installer. One that is still running, as around an
 * upgrade, is waited for.
 */
export async function runInstallWatch(
  configuration: Configuration,
  log: Logger,
  signal: AbortSignal,
  onState: (state: InstallState) => void = () => undefined,
): Promise<void> {
  using _only = await becomeInstaller(configuration, log, signal);
  if (signal.aborted) return;
  await keepSnapshot(configuration, log);
  await using _watching = watchInstallation({ ...installerOptions(configuration, log), onState });
  log.info({ directory: configuration.install.cniConfDir }, "installer is watching");
  if (!signal.aborted) await once(signal, "abort");
  log.info({}, "installer is stopping, everything stays installed");
}

/** Undefined when told to stop before. */
async function becomeInstaller(
  configuration: Configuration,
  log: Logger,
  signal: AbortSignal,
): Promise<Disposable | undefined> {
  const path = installLockPath(configuration);
  for (let tries = 0; !signal.aborted; tries += 1) {
    try {
      return lockInstaller(path);
    } catch (error) {
      if (errorCode(error) !== "ERR_INSTALLER_RUNNING") throw error;
      if (tries === 0) log.info({ lock: path }, "another installer is running on this node, waiting for its end");
    }
    await sleep(LOCK_RETRY_MS, undefined, { signal }).catch(() => undefined); // told to stop: the loop sees it
  }
  return undefined;
}
