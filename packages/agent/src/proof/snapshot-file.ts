import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { JOURNAL_NAME, readCniFiles } from "@millrace/cni-install";
import { type Configuration, errorCode, errorMessage, type Logger } from "@millrace/core/internal";
import { currentBootId, routingTraces, sysctlNotes, writeDurably } from "@millrace/host";
import { UsedBackends } from "../backends/used-backends.ts";
import { NodeNamespaces } from "../kernel/node-namespaces.ts";
import { describeError } from "../logging/describe-error.ts";
import { completeSnapshot } from "./complete-snapshot.ts";
import { type FilesSnapshot, type NodeSnapshot, snapshotSchema } from "./node-snapshot.ts";
import { readKernel, withoutChanges } from "./read-kernel.ts";

/** In the journal, beside what the backends note. */
export const SNAPSHOT_NAME = "before.json";

export const snapshotPath = ({ paths }: Configuration): string => join(paths.journal, SNAPSHOT_NAME);

/** Directories that are ours alone, and go with us. Not the journal's, which the snapshot itself is in. */
export const ownDirectories = ({ sockets, paths, eventLog }: Configuration): string[] => [
  ...new Set([sockets.admin, sockets.cni, paths.ambientConfig, eventLog.path].map(dirname)),
];

/**
 * Notes how the node is, unless that is noted: before anything is done to it. The kernel's part is taken anew after a boot, which leaves nothing
 * of us in it; that of the files stays. Nothing depends on it but the proof of an uninstall, so a failure is logged and nothing else.
 */
export async function keepSnapshot(configuration: Configuration, log: Logger): Promise<void> {
  try {
    const { snapshot: present, problem } = loadSnapshot(configuration);
    if (problem !== undefined) log.warn({ problem }, "what was noted of the node is lost, and noted anew");
    if (present?.kernel.bootId === currentBootId()) return;
    const taken = await takeSnapshot(configuration, present?.files);
    writeDurably(snapshotPath(configuration), `${JSON.stringify(taken)}\n`);
    const { kernel } = taken;
    const fields = { namespaces: kernel.namespaces.length, late: kernel.late, files: taken.files !== undefined };
    log.info(fields, "the node was noted as it is, for the proof of an uninstall");
  } catch (error) {
    log.warn(
      { ...describeError(error) },
      "the node could not be noted as it is: an uninstall will be proven by what carries our marks alone",
    );
  }
}

/**
 * Completes the snapshot by what only the journal knows, before an uninstall empties it: see {@link completeSnapshot}. Without a snapshot of this boot,
 * or where it cannot be written again, what was noted stays as it is.
 */
export async function completeNoted(configuration: Configuration, log: Logger): Promise<NotedSnapshot> {
  const noted = loadSnapshot(configuration);
  const { snapshot } = noted;
  const { journal, bpffs } = configuration.paths;
  const notes = sysctlNotes(journal);
  if (snapshot === undefined || snapshot.kernel.bootId !== currentBootId() || notes.length === 0) return noted;
  try {
    using namespaces = await NodeNamespaces.open();
    const now = readKernel(namespaces.all, bpffs, false);
    const complete = { ...snapshot, kernel: completeSnapshot(snapshot.kernel, now, notes) };
    writeDurably(snapshotPath(configuration), `${JSON.stringify(complete)}\n`);
    return { snapshot: complete };
  } catch (error) {
    const fields = describeError(error);
    log.warn(fields, "the snapshot could not be completed: what is left on newer interfaces cannot be told to be ours");
    return noted;
  }
}

async function takeSnapshot(configuration: Configuration, files: FilesSnapshot | undefined): Promise<NodeSnapshot> {
  const { journal, bpffs } = configuration.paths;
  const notes = sysctlNotes(journal);
  using namespaces = await NodeNamespaces.open();
  const late =
    notes.length > 0 ||
    new UsedBackends(journal).names().length > 0 ||
    existsSync(join(bpffs, "millrace")) ||
    namespaces.all.some((namespace) => routingTraces(namespace).length > 0);
  const kernel = withoutChanges(readKernel(namespaces.all, bpffs, late), notes);
  const taken = files ?? (isPluginNoted(journal) ? undefined : readFiles(configuration));
  return { version: 1, kernel, ...(taken && { files: taken }) };
}

function isPluginNoted(journal: string): boolean {
  const directory = join(journal, JOURNAL_NAME);
  return existsSync(directory) && readdirSync(directory).length > 0;
}

function readFiles(configuration: Configuration): FilesSnapshot {
  const { cniConfDir, cniBinDir } = configuration.install;
  const { config, plugin } = readCniFiles({ cniConfDir, cniBinDir });
  return {
    takenAt: new Date().toISOString(),
    config: { directory: cniConfDir, ...(config && { files: [...config] }) },
    plugin: { path: join(cniBinDir, "millrace"), ...(plugin !== undefined && { sha256: plugin }) },
    missingDirectories: ownDirectories(configuration).filter(
      (path) => !existsSync(path) || hasOnlyLocks(path, configuration.paths.journal),
    ),
  };
}

/** The locks that whoever takes the snapshot holds made the directory: that of the journal is the journal itself, still empty. */
const hasOnlyLocks = (path: string, journal: string): boolean =>
  readdirSync(path).every(
    (name) => name.endsWith(".lock") || (join(path, name) === journal && readdirSync(journal).length === 0),
  );

/** What is noted of the node from before Millrace. */
export interface NotedSnapshot {
  /** Undefined where none was taken. */
  readonly snapshot?: NodeSnapshot;
  /** Why one that is there cannot be read. */
  readonly problem?: string;
}

export function loadSnapshot(configuration: Configuration): NotedSnapshot {
  const path = snapshotPath(configuration);
  try {
    return { snapshot: snapshotSchema.parse(JSON.parse(readFileSync(path, "utf8"))) };
  } catch (error) {
    if (errorCode(error) === "ENOENT") return {};
    return { problem: `snapshot ${path}: it cannot be read: ${errorMessage(error)}` };
  }
}

export function removeSnapshot(configuration: Configuration): void {
  rmSync(snapshotPath(configuration), { force: true });
}
