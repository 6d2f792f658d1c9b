import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { errorCode, errorMessage, type Logger } from "@millrace/core/internal";
import { PLUGIN_TYPE } from "./entry.ts";
import { InstallError } from "./errors.ts";
import { listNames } from "./files/config-directory.ts";
import { InstallJournal, type JournalEntry } from "./files/journal.ts";
import { sweepTemporaries } from "./files/replace-file.ts";
import { takeOut, undo } from "./undo.ts";
import { CILIUM_SUFFIX } from "./warnings.ts";

export interface UninstallPlaces {
  readonly cniConfDir: string;
  readonly cniBinDir: string;
  /** The agent's journal directory. */
  readonly journal: string;
  readonly log: Logger;
  /**
   * Leave the plugin itself: CRI-O ends a pod by the configuration that it began with (cri-o/ocicni, TearDownPod()), entry of ours
   * and all, and cannot end it where the plugin is gone.
   */
  readonly keepPlugin?: boolean;
}

/** One phrase each. */
export interface Uninstalled {
  readonly removed: readonly string[];
  /** What is still there, with the reason. */
  readonly left: readonly string[];
  /** What was left on purpose. The journal goes on knowing it. */
  readonly kept: readonly string[];
}

/**
 * Puts the CNI directories back as they were, or as others have written their files since: first the entries, then the plugin that
 * they name. Entries of ours that no journal knows of are taken out too. Safe to repeat. The caller holds the installer's lock.
 */
export function uninstallCni(places: UninstallPlaces): Uninstalled {
  const { cniConfDir, cniBinDir, journal: directory, log, keepPlugin = false } = places;
  const journal = new InstallJournal(directory, log);
  const removed: string[] = [];
  const left: string[] = [];
  const attempt = (what: string, action: () => string | undefined): void => {
    try {
      const done = action();
      if (done !== undefined) removed.push(done);
    } catch (error) {
      left.push(error instanceof InstallError ? error.message : `${what}: ${errorCode(error)}: ${errorMessage(error)}`);
    }
  };
  const undoAndForget = (entry: JournalEntry): string | undefined => {
    const done = undo(entry);
    journal.forget(entry);
    return done;
  };
  journal.sweep();
  sweepTemporaries(cniConfDir);
  sweepTemporaries(cniBinDir);
  const entries = journal.entries();
  for (const entry of entries.filter(({ kind }) => kind !== "plugin")) {
    attempt(join(entry.directory, entry.name), () => undoAndForget(entry));
  }
  for (const name of mayHaveEntry(cniConfDir)) attempt(join(cniConfDir, name), () => takeOut(cniConfDir, name));
  if (left.length > 0) {
    left.push(`${join(cniBinDir, PLUGIN_TYPE)}: it stays until no configuration may name it any more`);
    return { removed, left, kept: [] };
  }
  if (keepPlugin && entries.some(({ kind }) => kind === "plugin")) {
    return { removed, left, kept: [`CNI plugin ${join(cniBinDir, PLUGIN_TYPE)}: for pods that end by it`] };
  }
  const kept = unknownPlugin(cniBinDir, entries);
  for (const entry of entries.filter(({ kind }) => kind === "plugin")) {
    attempt(join(entry.directory, entry.name), () => undoAndForget(entry));
  }
  journal.close();
  return { removed, left, kept };
}

/** A plugin of our name that no journal knows of may have been there before us. */
function unknownPlugin(directory: string, entries: readonly JournalEntry[]): string[] {
  const path = join(directory, PLUGIN_TYPE);
  if (entries.some(({ kind }) => kind === "plugin") || !existsSync(path)) return [];
  return [`${path}: the journal does not say that it was installed; remove it by hand if it was`];
}

/** Lists of network configurations, also those that Cilium has renamed. */
function mayHaveEntry(directory: string): string[] {
  return (listNames(directory) ?? [])
    .filter((name) => name.endsWith(".conflist") || name.endsWith(`.conflist${CILIUM_SUFFIX}`))
    .filter((name) => isFileWith(join(directory, name), PLUGIN_TYPE));
}

/** Cheap look before the file is parsed; what cannot be read has nothing that we could take out. */
function isFileWith(path: string, word: string): boolean {
  try {
    return readFileSync(path, "latin1").includes(word);
  } catch (error) {
    if (["ENOENT", "EISDIR"].includes(errorCode(error))) return false;
    throw error;
  }
}
