import { join } from "node:path";
import { errorCode, errorMessage, type Logger } from "@millrace/core/internal";
import { decide, type Target } from "./decide.ts";
import type { PluginEntry } from "./entry.ts";
import { type Candidate, isReadable, listNames, readConfigDirectory } from "./files/config-directory.ts";
import { asBefore, type InstallJournal, type JournalEntry, writtenOver } from "./files/journal.ts";
import { installPlugin } from "./files/plugin-file.ts";
import { removeFile, replaceFile, sweepTemporaries } from "./files/replace-file.ts";
import { toBytes } from "./network/text.ts";
import { OWN_NAME } from "./primary.ts";
import type { InstallState } from "./state.ts";
import { takeOut, undo } from "./undo.ts";
import { type Warning, warningsAbout } from "./warnings.ts";

export interface InstallPlaces {
  readonly cniConfDir: string;
  readonly cniBinDir: string;
  readonly pluginSource: string;
  readonly ownConfig: boolean;
  readonly entry: PluginEntry;
}

/** What came of one look. */
export interface PassResult extends Pick<InstallState, "state" | "detail" | "config"> {
  readonly warnings: readonly Warning[];
  /** Look again after so long, at the latest. Milliseconds. */
  readonly againMs?: number;
}

/** Thrown out of a pass where a write is not to be done yet. */
class NotYet extends Error {
  readonly waitMs: number;

  constructor(waitMs: number) {
    super("too many writes");
    this.waitMs = waitMs;
  }
}

/** Removes what an installer that was killed left half written. */
export function sweep({ cniConfDir, cniBinDir }: InstallPlaces, journal: InstallJournal): void {
  journal.sweep();
  sweepTemporaries(cniBinDir);
  sweepTemporaries(cniConfDir);
}

/**
 * Looks once, and makes everything be as it has to be: the plugin first, so that no runtime finds an entry without its plugin; then our
 * entry; then what an earlier look has changed and would not any more is put back. `spend` is asked before each write, by
 * file name, for the milliseconds to wait; 0 lets it happen.
 *
 * Level-triggered: nothing is remembered between two passes but what the journal says. Throws as the file system does, and `ERR_PLUGIN_SOURCE`.
 */
export function installPass(
  places: InstallPlaces,
  journal: InstallJournal,
  log: Logger,
  spend: (file: string) => number,
): PassResult {
  const mayWrite = (file: string) => {
    const waitMs = spend(file);
    if (waitMs > 0) throw new NotYet(waitMs);
  };
  const names = listNames(places.cniConfDir) ?? [];
  const candidates = readConfigDirectory(places.cniConfDir) ?? [];
  const warnings = warningsAbout(candidates, names, places.ownConfig);
  try {
    return { ...install(places, candidates, journal, log, mayWrite), warnings };
  } catch (error) {
    if (error instanceof NotYet) return { ...contended(error.waitMs), warnings };
    if (errorCode(error) === "ERR_CONFIG_CHANGING") {
      return { state: "waiting", detail: errorMessage(error), warnings, againMs: 0 };
    }
    throw error;
  }
}

type Installed = Omit<PassResult, "warnings">;

function install(
  places: InstallPlaces,
  candidates: readonly Candidate[],
  journal: InstallJournal,
  log: Logger,
  mayWrite: (file: string) => void,
): Installed {
  const { cniBinDir, cniConfDir, pluginSource, ownConfig, entry } = places;
  if (listNames(cniBinDir) === undefined) return { state: "waiting", detail: `there is no directory ${cniBinDir} yet` };
  installPlugin({ source: pluginSource, directory: cniBinDir }, journal, mayWrite);
  const decision = decide(candidates, ownConfig, entry);
  if (decision.kind === "waiting") {
    // A copy of what is gone would make the runtime ready for a network that is not there. While a file is only half written it stays.
    if (candidates.every(({ name }) => name === OWN_NAME)) putBack(cniConfDir, journal, undefined, log);
    return { state: "waiting", detail: `${decision.reason} in ${cniConfDir}` };
  }
  if (decision.kind === "refused") {
    putBack(cniConfDir, journal, undefined, log);
    return { state: "refused", detail: `${join(cniConfDir, decision.file)} cannot take our entry: ${decision.reason}` };
  }
  const { target } = decision;
  apply(cniConfDir, target, candidates, journal, log, mayWrite);
  putBack(cniConfDir, journal, join(cniConfDir, target.name), log);
  const config = {
    file: target.name,
    kind: kindOf(target, notedFor(journal, join(cniConfDir, target.name))),
    network: target.primary.network,
  };
  return { state: "installed", detail: `${join(cniConfDir, target.name)} has our entry`, config };
}

function contended(waitMs: number): Installed {
  const detail =
    "somebody takes out again what is written: another installer, or the primary, owns these files; the next try is made after a pause. " +
    "See the warnings; let the other one leave our entry be, or set install.ownConfig";
  return { state: "contended", detail, againMs: waitMs };
}

const kindOf = ({ kind }: Target, noted: JournalEntry | undefined): Target["kind"] =>
  noted?.kind === "converted" ? "converted" : kind;

const pathOf = ({ directory, name }: JournalEntry): string => join(directory, name);

const notedFor = (journal: InstallJournal, path: string): JournalEntry | undefined =>
  configEntries(journal).find((entry) => pathOf(entry) === path);

const configEntries = (journal: InstallJournal): JournalEntry[] =>
  journal.entries().filter(({ kind }) => kind !== "plugin");

function apply(
  directory: string,
  target: Target,
  candidates: readonly Candidate[],
  journal: InstallJournal,
  log: Logger,
  mayWrite: (file: string) => void,
): void {
  const path = join(directory, target.name);
  const bytes = toBytes(target.text);
  // As it was when the target was made of it, and not as it is by now.
  const there = candidates.filter(isReadable).find(({ name }) => name === target.name);
  const present = there && toBytes(there.text);
  const noted = notedFor(journal, path);
  if (present?.equals(bytes) !== true) {
    mayWrite(target.name);
    journal.note(entryFor(directory, target, noted, present));
    const { mode, uid, gid } = there ?? target;
    replaceFile(path, { bytes, expected: present, mode, uid, gid });
    const fields = { file: path, kind: target.kind, network: target.primary.network };
    log.info(fields, "our entry is in the network configuration");
  } else if (noted === undefined) {
    journal.note(entryFor(directory, target, noted, present));
  }
  const { before } = target;
  if (target.kind === "converted" && before !== undefined)
    removeFile(join(directory, before.name), toBytes(before.text));
}

/** A list that was a single plugin's file stays one that was, however often it is written. */
function entryFor(
  directory: string,
  target: Target,
  noted: JournalEntry | undefined,
  present: Uint8Array | undefined,
): Omit<JournalEntry, "version"> {
  const written = writtenOver(noted, present, toBytes(target.text));
  if (target.kind === "edited" && noted?.kind === "converted") return { ...fieldsOf(noted), written };
  const before = target.before === undefined ? null : asBefore(target.before);
  return { kind: target.kind, directory, name: target.name, before, written };
}

const fieldsOf = ({ kind, directory, name, before }: JournalEntry) => ({ kind, directory, name, before });

/** Puts back every file that was changed, but the one at this path; a list of our own that the journal does not know of goes too. */
function putBack(directory: string, journal: InstallJournal, except: string | undefined, log: Logger): void {
  const attempt = (file: string, action: () => string | undefined): void => {
    if (file === except) return;
    try {
      if (action() !== undefined)
        log.info({ file }, "another network configuration is used now, this one is as it was");
    } catch (error) {
      const fields = { file, code: errorCode(error), error: errorMessage(error) };
      log.error(fields, "a network configuration cannot be put back");
    }
  };
  for (const entry of configEntries(journal)) {
    attempt(pathOf(entry), () => {
      const done = undo(entry);
      journal.forget(entry);
      return done;
    });
  }
  attempt(join(directory, OWN_NAME), () => takeOut(directory, OWN_NAME));
}
