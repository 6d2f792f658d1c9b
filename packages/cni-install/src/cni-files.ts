import { createHash } from "node:crypto";
import { statSync } from "node:fs";
import { join } from "node:path";
import { PLUGIN_TYPE } from "./entry.ts";
import { listNames, readFileIfThere } from "./files/config-directory.ts";
import { isTemporary } from "./files/replace-file.ts";
import { hasEntry, listOfOne } from "./network/edit-list.ts";
import { parseObject, pluginsOf } from "./network/parse.ts";
import { type ByteText, toBytes } from "./network/text.ts";
import { OWN_NAME } from "./primary.ts";
import { CILIUM_SUFFIX } from "./warnings.ts";

export interface CniDirectories {
  readonly cniConfDir: string;
  readonly cniBinDir: string;
}

/** A network configuration, as much as tells whether it is the same. */
export interface CniFile {
  readonly name: string;
  readonly sha256: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Of a single plugin: digest of the list that it would become. */
  readonly asList?: string | undefined;
}

/** Both CNI directories at one moment. */
export interface CniFiles {
  /** Sorted by name; undefined: there is no such directory. */
  readonly config: readonly CniFile[] | undefined;
  /** Digest of the plugin that has our name; undefined: there is none. */
  readonly plugin: string | undefined;
}

const sha256 = (text: ByteText): string => createHash("sha256").update(toBytes(text)).digest("hex");

/** Reads both directories. Throws as the file system does. */
export function readCniFiles({ cniConfDir, cniBinDir }: CniDirectories): CniFiles {
  const config = listNames(cniConfDir)
    ?.sort()
    .flatMap((name): CniFile[] => {
      const file = readRegular(cniConfDir, name);
      if (file === undefined) return [];
      const { text, mode, uid, gid } = file;
      const list = listOf(text);
      return [{ name, sha256: sha256(text), mode, uid, gid, ...(list !== undefined && { asList: sha256(list) }) }];
    });
  const plugin = readRegular(cniBinDir, PLUGIN_TYPE);
  return { config, plugin: plugin && sha256(plugin.text) };
}

/** What is there of ours, or of somebody's as we had changed it. */
export interface CniTraces {
  readonly left: readonly string[];
  /** It may be ours, and nothing tells. */
  readonly unclaimed: readonly string[];
}

/**
 * Looks for our entry, our list, our plugin and half-written files by what they are, whatever the journal says. `before`: the directories as
 * they were before us, where that is known.
 */
export function cniTraces(directories: CniDirectories, before: CniFiles | undefined): CniTraces {
  const { cniConfDir, cniBinDir } = directories;
  const now = readCniFiles(directories);
  const named = (now.config ?? []).filter(({ name }) => hasOurs(cniConfDir, name));
  const temporaries = [cniConfDir, cniBinDir].flatMap((directory) =>
    (listNames(directory) ?? []).filter(isTemporary).map((name) => `half-written file ${join(directory, name)}`),
  );
  const plugin = join(cniBinDir, PLUGIN_TYPE);
  const isOurPlugin = before === undefined ? saysItIsOurs(cniBinDir) : before.plugin !== now.plugin;
  return {
    left: [
      ...named.map(({ name }) => `${isOwnList(name) ? "list" : "entry in"} ${join(cniConfDir, name)}`),
      ...(before === undefined ? [] : converted(cniConfDir, before, now)),
      ...temporaries,
      ...(now.plugin !== undefined && isOurPlugin ? [`CNI plugin ${plugin}`] : []),
    ],
    unclaimed:
      now.plugin !== undefined && before === undefined && !isOurPlugin
        ? [`CNI plugin ${plugin}: it has our name, and nothing tells whose it is`]
        : [],
  };
}

/** A single plugin whose file is gone, and in whose place is the list that we make of it: without our entry, as after a lost journal. */
function converted(directory: string, before: CniFiles, { config: now = [] }: CniFiles): string[] {
  return (before.config ?? []).flatMap(({ name, asList }) => {
    if (asList === undefined || now.some((file) => file.name === name)) return [];
    const list = now.find(({ sha256: digest }) => digest === asList);
    return list === undefined ? [] : [`list ${join(directory, list.name)} in the place of ${join(directory, name)}`];
  });
}

/** Also under the name that Cilium gives it. */
const isOwnList = (name: string): boolean => [OWN_NAME, OWN_NAME + CILIUM_SUFFIX].includes(name);

function hasOurs(directory: string, name: string): boolean {
  if (isOwnList(name)) return true;
  const file = readRegular(directory, name);
  return file?.text.includes(PLUGIN_TYPE) === true && hasEntry(file.text);
}

/** Every build has the agent's default socket in it (cni/src/settings.c). */
function saysItIsOurs(directory: string): boolean {
  return readRegular(directory, PLUGIN_TYPE)?.text.includes("/run/millrace/cni.sock") === true;
}

/** Of a single plugin; undefined for a list, and for what is no network configuration. */
function listOf(text: ByteText): ByteText | undefined {
  return parseObject(text) === undefined || pluginsOf(text) !== undefined ? undefined : listOfOne(text);
}

/** Undefined for what is no regular file: nobody writes ours as anything else. */
function readRegular(directory: string, name: string) {
  const isFile = statSync(join(directory, name), { throwIfNoEntry: false })?.isFile() === true;
  return isFile ? readFileIfThere(directory, name) : undefined;
}
