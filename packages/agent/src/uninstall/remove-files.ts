import { readdirSync, rmdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { JOURNAL_NAME } from "@millrace/cni-install";
import { type Configuration, errorCode } from "@millrace/core/internal";
import { ambientConfigAt } from "../daemon/ambient-config.ts";
import { lockPath } from "../daemon/single-instance.ts";
import { find } from "../daemon/stale-socket.ts";
import { installLockPath } from "../install/install-places.ts";
import { SNAPSHOT_NAME } from "../proof/snapshot-file.ts";
import type { Ledger } from "./removal.ts";
import { removeEventLog } from "./remove-event-log.ts";
import type { UninstallOptions } from "./uninstall.ts";

/** A directory that is not empty holds something of somebody else's, and stays. */
export function removeIfEmpty(path: string, ledger: Ledger): void {
  ledger.attempt(`directory ${path}`, () => {
    try {
      rmdirSync(path);
    } catch (error) {
      if (!["ENOENT", "ENOTEMPTY", "EBUSY", "EEXIST"].includes(errorCode(error))) throw error;
    }
  });
}

function removeSocket(path: string, ledger: Ledger): void {
  ledger.attempt(`socket ${path}`, () => {
    const { kind } = find(path);
    if (kind === "socket") ledger.remove("socket", path);
    else if (kind !== "nothing") ledger.kept.push(`${path}: it is no socket`);
  });
}

function removeAmbientConfig(path: string, ledger: Ledger): void {
  ledger.attempt(`ambient config ${path}`, () => {
    const found = ambientConfigAt(path);
    if (found === "nothing") return;
    if (found === "ours") {
      ledger.remove("ambient config", path);
      removeIfEmpty(dirname(path), ledger);
    } else {
      ledger.kept.push(`${path}: it is not as the agent writes it`);
    }
  });
}

/** What the backends noted about the host must be empty by now: what is in it was not put back. */
function removeJournal(path: string, keepCniPlugin: boolean, ledger: Ledger): void {
  ledger.attempt(`journal ${path}`, () => {
    if (find(path).kind === "nothing") return;
    // The snapshot goes last of all, when nothing is left that it could prove.
    for (const file of readdirSync(path).filter((name) => name !== SNAPSHOT_NAME)) {
      if (file === JOURNAL_NAME && keepCniPlugin)
        ledger.kept.push(`journal ${join(path, file)}: it knows of the CNI plugin`);
      else ledger.left.push(`journal ${join(path, file)}: it was not put back`);
    }
    removeIfEmpty(path, ledger);
  });
}

/**
 * Sockets, ambient config, journal, and the event log if wanted; of each only what is recognised as ours. The caller holds the lock,
 * and removes it last.
 */
export function removeFiles(
  { sockets, paths, eventLog }: Configuration,
  { purge, keepCniPlugin }: Pick<UninstallOptions, "purge" | "keepCniPlugin">,
  ledger: Ledger,
): void {
  removeSocket(sockets.cni, ledger);
  removeSocket(sockets.admin, ledger);
  removeAmbientConfig(paths.ambientConfig, ledger);
  removeJournal(paths.journal, keepCniPlugin, ledger);
  removeEventLog(eventLog.path, purge, ledger);
  removeIfEmpty(dirname(eventLog.path), ledger);
}

/** The lock files and the directory of the sockets, while the locks are still held: which says that the files are ours. */
export function removeRunDirectory(configuration: Configuration, ledger: Ledger): void {
  const { sockets } = configuration;
  for (const lock of [lockPath(sockets.admin), installLockPath(configuration)]) {
    ledger.attempt(`lock ${lock}`, () => rmSync(lock, { force: true }));
  }
  removeIfEmpty(dirname(sockets.cni), ledger);
  removeIfEmpty(dirname(sockets.admin), ledger);
}
