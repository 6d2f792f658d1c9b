import { existsSync, lstatSync, readdirSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { cniTraces, JOURNAL_NAME } from "@millrace/cni-install";
import { type Configuration, errorCode } from "@millrace/core/internal";
import { ambientConfigAt } from "../daemon/ambient-config.ts";
import { lockPath } from "../daemon/single-instance.ts";
import { find } from "../daemon/stale-socket.ts";
import { installLockPath, installStatePath } from "../install/install-places.ts";
import type { Comparison } from "./compare-kernel.ts";
import type { FilesSnapshot } from "./node-snapshot.ts";
import { ownDirectories, SNAPSHOT_NAME } from "./snapshot-file.ts";

export interface FilesFound extends Comparison {
  /** What an uninstall leaves on purpose. */
  readonly kept: readonly string[];
}

/** Files of ours, by their places and by what is in them, and the CNI directories compared with what they were. */
export function findFiles(
  configuration: Configuration,
  before: FilesSnapshot | undefined,
  keepCniPlugin: boolean,
): FilesFound {
  const { sockets, paths, eventLog, install } = configuration;
  // Another directory than the one that was noted: nothing is known of it.
  const isSame = before?.config.directory === install.cniConfDir && dirname(before.plugin.path) === install.cniBinDir;
  const earlier = isSame ? { config: before.config.files, plugin: before.plugin.sha256 } : undefined;
  const cni = cniTraces(install, earlier);
  const isKept = (what: string) => keepCniPlugin && what.startsWith("CNI plugin ");
  const journal = journalFiles(paths.journal, keepCniPlugin);
  const isThere = (path: string) => find(path).kind !== "nothing";
  return {
    left: [
      ...cni.left.filter((what) => !isKept(what)),
      ...[sockets.cni, sockets.admin].filter((path) => find(path).kind === "socket").map((path) => `socket ${path}`),
      ...[lockPath(sockets.admin), installLockPath(configuration)].filter(isThere).map((path) => `lock ${path}`),
      ...[installStatePath(configuration)].filter(isThere).map((path) => `state of the installation ${path}`),
      ...(ambientConfigAt(paths.ambientConfig) === "ours" ? [`ambient config ${paths.ambientConfig}`] : []),
      ...journal.map((path) => `journal ${path}`),
      ...emptyDirectories(configuration, before).map((path) => `directory ${path}: it is empty, and was not there`),
    ],
    unclaimed: cni.unclaimed,
    others: [],
    kept: [...cni.left.filter(isKept), ...(isThere(eventLog.path) ? [`event log ${eventLog.path}`] : [])],
  };
}

/** All but the snapshot, which the proof needs. */
function journalFiles(directory: string, keepCniPlugin: boolean): string[] {
  if (!existsSync(directory)) return [];
  const entries = readdirSync(directory, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => path !== join(directory, SNAPSHOT_NAME))
    .filter((path) => !(keepCniPlugin && path.startsWith(join(directory, JOURNAL_NAME, "/"))))
    .sort();
}

/** A mount point cannot be removed from where we are, and is whoever mounts it. */
function emptyDirectories(configuration: Configuration, before: FilesSnapshot | undefined): string[] {
  return ownDirectories(configuration).filter(
    (path) => before?.missingDirectories.includes(path) === true && isEmpty(path) && !isMountPoint(path),
  );
}

function isEmpty(path: string): boolean {
  try {
    return readdirSync(path).length === 0;
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes(errorCode(error))) return false;
    throw error;
  }
}

const isMountPoint = (path: string): boolean => statSync(path).dev !== lstatSync(dirname(path)).dev;
