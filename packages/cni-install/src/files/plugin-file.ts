import { chmodSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { errorMessage } from "@millrace/core/internal";
import { PLUGIN_TYPE } from "../entry.ts";
import { InstallError } from "../errors.ts";
import { toBytes } from "../network/text.ts";
import { readFileIfThere } from "./config-directory.ts";
import { asBefore, digest, type InstallJournal, writtenOver } from "./journal.ts";
import { replaceFile } from "./replace-file.ts";

const MODE = 0o755;

export interface PluginPlaces {
  /** The binary to install, as it comes in the agent's image. */
  readonly source: string;
  /** Where the runtime looks for plugins. */
  readonly directory: string;
}

/**
 * Puts the plugin's binary where the runtime executes it from. One that is being executed is not written to, which would fail with
 * ETXTBSY, but replaced; one that is the same is left alone. `mayWrite` is asked before, by file name.
 *
 * Throws `ERR_PLUGIN_SOURCE`, and as the file system does.
 */
export function installPlugin(
  { source, directory }: PluginPlaces,
  journal: InstallJournal,
  mayWrite: (file: string) => void,
): void {
  const bytes = readSource(source);
  const wanted = digest(bytes);
  const path = join(directory, PLUGIN_TYPE);
  const there = readFileIfThere(directory, PLUGIN_TYPE);
  const present = there && toBytes(there.text);
  const noted = journal.entries().find((entry) => entry.kind === "plugin" && entry.directory === directory);
  // An upgrade replaces what we wrote: what stood there before us is what is noted already.
  const before = noted === undefined ? (there === undefined ? null : asBefore(there)) : noted.before;
  const entry = {
    kind: "plugin",
    directory,
    name: PLUGIN_TYPE,
    before,
    written: writtenOver(noted, present, bytes),
  } as const;
  if (present === undefined || digest(present) !== wanted) {
    mayWrite(PLUGIN_TYPE);
    journal.note(entry);
    replaceFile(path, {
      bytes,
      expected: present,
      mode: MODE,
      uid: process.getuid?.() ?? 0,
      gid: process.getgid?.() ?? 0,
    });
    return;
  }
  if (noted === undefined) journal.note(entry);
  if (there?.mode !== MODE) chmodSync(path, MODE);
}

function readSource(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (cause) {
    const message = `cannot read the CNI plugin ${path}: ${errorMessage(cause)}; name its place with install.pluginSource`;
    throw new InstallError("ERR_PLUGIN_SOURCE", message, { cause });
  }
}
